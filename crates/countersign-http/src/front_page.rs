//! `GET /`: what this is, whether it is ready, and where the documentation is. A page for people, JSON for programs.

use countersign_token::json::to_response;
use http::HeaderMap;
use http::header::ACCEPT;

use crate::Service;
use crate::document::{Content, Document, HTML, JSON, Source};
use crate::endpoint::object;

pub(crate) const DOCUMENT: Document = Document {
    path: "/",
    name: "front_page",
    summary: "What this is, and whether it is ready",
    content_types: &[JSON, HTML],
    example: r#"{"name": "Countersign", "version": "0.1.0", "status": "ready", "documentation": "/docs/",
                 "openapi": "/openapi.json", "jwks": "/.well-known/jwks.json"}"#,
    source: Source::Each(front_page),
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn front_page(service: &Service, headers: &HeaderMap) -> Content {
    let accept = headers.get(ACCEPT).map_or(&b""[..], |value| value.as_bytes());
    let wants_page = accept.windows(HTML_TYPE.len()).any(|part| part.eq_ignore_ascii_case(HTML_TYPE));
    let status = service.readiness().word();
    let (text, media_type) = if wants_page { (page(status), HTML) } else { (summary(status), JSON) };
    Content { media_type, cache: "no-cache".to_owned(), varies: true, ..Content::plain(text) }
}

const HTML_TYPE: &[u8] = b"text/html";

fn summary(status: &'static str) -> String {
    let members = [
        ("name", "Countersign".into()),
        ("version", VERSION.into()),
        ("status", status.into()),
        ("documentation", "/docs/".into()),
        ("openapi", "/openapi.json".into()),
        ("jwks", "/.well-known/jwks.json".into()),
    ];
    to_response(&object(members).into(), None)
}

fn page(status: &'static str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  \
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n  <title>Countersign</title>\n  \
         <link rel=\"icon\" href=\"data:,\">\n  <link rel=\"stylesheet\" href=\"docs/docs.css\">\n</head>\n\
         <body class=\"front\">\n  <h1>Countersign {VERSION}</h1>\n  <p>Accounts for an API: register, log in, refresh, \
         log out, protect an endpoint.</p>\n  <p>Status: {status}.</p>\n  \
         <p><a href=\"docs/\">Read and try the API</a>, or take it as <a href=\"openapi.json\">openapi.json</a>.</p>\n\
         </body>\n</html>\n"
    )
}
