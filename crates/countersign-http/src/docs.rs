//! `GET /openapi.json`, and `GET /docs/`: the same to read and to try, in Swagger UI.
//!
//! Swagger UI comes from the crate that packs it (`build.rs`), and is served as it is packed: compressed.

use bytes::Bytes;
use countersign_auth::Auth;
use countersign_token::json::to_response;

use crate::document::{Content, Document};
use crate::openapi;

pub(crate) const OPENAPI: Document = Document {
    path: "/openapi.json",
    name: "openapi",
    summary: "This document",
    content_type: "application/json",
    is_of_the_api: true,
    content: |_| plain(document_text()),
};

pub(crate) const PAGES: [Document; 5] = [
    page("/docs/", "text/html; charset=utf-8", |_| plain(include_str!("../assets/docs.html"))),
    page("/docs/docs.css", "text/css", |_| plain(include_str!("../assets/docs.css"))),
    page("/docs/docs.js", "text/javascript", |_| plain(include_str!("../assets/docs.js"))),
    page("/docs/swagger-ui.css", "text/css", |_| {
        packed(include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz")))
    }),
    page("/docs/swagger-ui-bundle.js", "text/javascript", |_| {
        packed(include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")))
    }),
];

/// The OpenAPI document, as it is served.
#[must_use]
pub fn document_text() -> String {
    to_response(&openapi::document(), Some(2)) + "\n"
}

const fn page(path: &'static str, content_type: &'static str, content: fn(&Auth) -> Content) -> Document {
    Document { path, name: "", summary: "", content_type, is_of_the_api: false, content }
}

fn plain(text: impl Into<Bytes>) -> Content {
    Content { bytes: text.into(), cache: "public, max-age=300".to_owned(), is_gzip: false }
}

fn packed(bytes: &'static [u8]) -> Content {
    Content { bytes: Bytes::from_static(bytes), cache: "public, max-age=86400".to_owned(), is_gzip: true }
}
