//! `GET /.well-known/jwks.json`: the public keys that verify our tokens, as a JWK set (RFC 7517).
//!
//! A document for programs, not an endpoint of the API: `Accept` and bearer tokens are not looked at. The original has
//! nothing like it.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use countersign_auth::Auth;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use crate::response;

pub(crate) const PATH: &str = "/.well-known/jwks.json";

const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// The document, or that it is still the one that the client has.
pub(crate) fn answer(auth: &Auth, head: &Parts) -> Response<Full<Bytes>> {
    if head.method != Method::GET && head.method != Method::HEAD {
        let mut refused = response::page(StatusCode::METHOD_NOT_ALLOWED);
        refused.headers_mut().insert(ALLOW, ALLOWED);
        return refused;
    }
    let keys = auth.key_set();
    let tag = entity_tag(&keys.json);
    let is_known = knows(&head.headers, &tag);
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut builder = response::framed(status)
        .header(CACHE_CONTROL, format!("public, max-age={}", keys.max_age_secs))
        .header(ETAG, tag);
    if is_known {
        return response::finish(builder, String::new());
    }
    builder = builder.header(CONTENT_TYPE, "application/json");
    response::finish(builder, keys.json)
}

/// A tag that changes with the text. Who could choose two texts with one tag would have chosen our keys.
fn entity_tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// Whether `If-None-Match` has this tag (RFC 9110 section 13.1.2), compared weakly: a cache on the way may have
/// weakened it.
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
