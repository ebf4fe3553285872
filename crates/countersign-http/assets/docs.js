// Swagger UI on our document. Who gets a token here is authorized for every further call.
"use strict";

const ISSUING = /^\/user\/api\/(login|token\/refresh)\/(sliding\/)?$/;

const docs = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  responseInterceptor(response) {
    const isJson = response.headers["content-type"] === "application/json";
    if (response.ok && isJson && ISSUING.test(new URL(response.url, location).pathname)) {
      const { access, token } = JSON.parse(response.text);
      // A sliding token, which may not be accepted, takes no place of an access token. With cookies there is neither.
      if (access || (token && !docs.authSelectors.authorized()?.get("bearer"))) {
        const word = docs.specSelectors.specJson().getIn(["components", "securitySchemes", "bearer", "x-word"]);
        docs.preauthorizeApiKey("bearer", [word, access ?? token].filter(Boolean).join(" "));
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
