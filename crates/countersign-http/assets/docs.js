// Swagger UI on our document. Who logs in here is authorized for every further call.
"use strict";

const docs = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  responseInterceptor(response) {
    if (response.ok && new URL(response.url, location).pathname === "/user/api/login/") {
      docs.preauthorizeApiKey("bearer", response.body?.access ?? JSON.parse(response.text).access);
    }
    return response;
  },
});
