//! `GET /openapi.json`, and `GET /docs/`: the same to read and to try, in Swagger UI.
//!
//! Swagger UI comes from the crate that packs it (`build.rs`), and is served as it is packed: compressed.

use countersign_token::json::to_response;

use crate::document::{Content, Document, HTML, JSON, Source};
use crate::openapi::{self, TokenHeader};
use crate::routes::Served;
use crate::service::Settings;

pub(crate) const OPENAPI: Document = Document {
    path: "/openapi.json",
    name: "openapi",
    summary: "This document",
    content_types: &[JSON],
    example: r#"{"openapi": "3.1.0", "info": {"title": "Countersign", "version": "0.1.0"}, "paths": {}}"#,
    source: Source::Once(|served, settings| Content::plain(served_text(served, settings))),
};

pub(crate) const PAGES: [Document; 5] = [
    part("/docs/", |_, _| text(HTML, include_str!("../assets/docs.html"))),
    part("/docs/docs.css", |_, _| text(CSS, include_str!("../assets/docs.css"))),
    part("/docs/docs.js", |_, _| text(SCRIPT, include_str!("../assets/docs.js"))),
    part("/docs/swagger-ui.css", |_, _| {
        packed(CSS, include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz")))
    }),
    part("/docs/swagger-ui-bundle.js", |_, _| {
        packed(SCRIPT, include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")))
    }),
];

const CSS: &str = "text/css";
const SCRIPT: &str = "text/javascript";

/// How the documentation says that a token is sent; settings may have it otherwise.
const SEND: &str = "`Authorization: Bearer ACCESS`";

/// The OpenAPI document, as it is served where these endpoints are and nothing else is set.
#[must_use]
pub fn document_text(served: Served) -> String {
    text_of(served, &TokenHeader::Bearer)
}

fn served_text(served: Served, settings: &Settings) -> String {
    let header = TokenHeader::of(settings);
    let text = text_of(served, &header);
    match header {
        TokenHeader::Bearer => text,
        // Neither has anything in it that JSON would write in another way.
        TokenHeader::Other { name, word } => text.replace(SEND, &format!("`{name}: {word} ACCESS`")),
    }
}

fn text_of(served: Served, header: &TokenHeader<'_>) -> String {
    to_response(&openapi::document(served, header), Some(2)) + "\n"
}

const fn part(path: &'static str, make: fn(Served, &Settings) -> Content) -> Document {
    Document { path, name: "", summary: "", content_types: &[], example: "", source: Source::Once(make) }
}

fn text(media_type: &'static str, text: &'static str) -> Content {
    Content { media_type, ..Content::plain(text) }
}

fn packed(media_type: &'static str, bytes: &'static [u8]) -> Content {
    let cache = "public, max-age=86400".to_owned();
    Content { media_type, cache, is_gzip: true, ..Content::plain(bytes) }
}
