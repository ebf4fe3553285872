// Swagger UI on our document. Who logs in here is authorized for every further call.
"use strict";

const docs = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  responseInterceptor(response) {
    if (response.ok && new URL(response.url, location).pathname === "/user/api/login/") {
      const { access } = response.body ?? JSON.parse(response.text);
      if (access) {
        docs.preauthorizeApiKey("bearer", access);
      }
    }
    return response;
  },
  // With TOKEN_COOKIES there is no token to authorize with, but this to show beside the cookies.
  requestInterceptor(request) {
    const csrf = document.cookie.split("; ").find((cookie) => cookie.startsWith("__Host-csrftoken="));
    if (csrf) {
      request.headers["X-CSRFToken"] = csrf.split("=")[1];
    }
    return request;
  },
});
