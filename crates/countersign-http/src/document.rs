//! Documents for programs and browsers. They are no endpoints of the API: `Accept` and bearer tokens are not looked at.
//! The original has nothing like them.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use crate::error::Code;
use crate::routes::Served;
use crate::service::Settings;
use crate::{Service, response};

pub(crate) const JSON: &str = "application/json";
pub(crate) const HTML: &str = "text/html; charset=utf-8";

const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD");
/// Pages have their scripts, styles and pictures from here, and talk to nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// One document.
pub(crate) struct Document {
    pub(crate) path: &'static str,
    /// Its name in the OpenAPI document.
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// The forms it has; none for parts of pages, which the OpenAPI document leaves out.
    pub(crate) content_types: &'static [&'static str],
    /// What it is like, for the OpenAPI document: JSON.
    pub(crate) example: &'static str,
    pub(crate) source: Source,
}

/// Where a document comes from.
pub(crate) enum Source {
    /// Made when the service is, and kept.
    Once(fn(Served, &Settings) -> Content),
    /// Made for each request.
    Each(fn(&Service, &HeaderMap) -> Content),
}

/// What is in a document.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    /// `ETag`, which is of these bytes.
    pub(crate) tag: String,
    pub(crate) media_type: &'static str,
    /// `Cache-Control`.
    pub(crate) cache: String,
    /// Compressed, which every browser can read.
    pub(crate) is_gzip: bool,
    /// Whether another `Accept` would have got another form.
    pub(crate) varies: bool,
}

impl Content {
    /// Text that may be kept for a few minutes; JSON, unless said otherwise.
    pub(crate) fn plain(text: impl Into<Bytes>) -> Self {
        let (bytes, cache) = (text.into(), "public, max-age=300".to_owned());
        let tag = entity_tag(&bytes);
        Self { bytes, tag, media_type: JSON, cache, is_gzip: false, varies: false }
    }
}

impl Document {
    /// The document, ready to be served.
    pub(crate) fn prepared(&self, served: Served, settings: &Settings) -> Prepared {
        match self.source {
            Source::Once(make) => Prepared::Kept(make(served, settings)),
            Source::Each(make) => Prepared::Each(make),
        }
    }
}

/// A document that can be served.
pub(crate) enum Prepared {
    Kept(Content),
    Each(fn(&Service, &HeaderMap) -> Content),
}

impl Prepared {
    /// The document, or that it is still the one that the client has.
    pub(crate) fn answer(&self, service: &Service, head: &Parts) -> Response<Full<Bytes>> {
        if let Some(refused) = refusal_unless_read(&head.method) {
            return refused;
        }
        let content = match self {
            Self::Kept(content) => content.clone(),
            Self::Each(make) => make(service, &head.headers),
        };
        let is_known = knows(&head.headers, &content.tag);
        let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut builder =
            response::framed(status).header(CACHE_CONTROL, content.cache).header(ETAG, content.tag);
        if content.varies {
            builder = builder.header(VARY, "Accept");
        }
        if is_known {
            return response::finish(builder, Bytes::new());
        }
        builder = builder.header(CONTENT_TYPE, content.media_type);
        if content.is_gzip {
            builder = builder.header(CONTENT_ENCODING, "gzip");
        }
        if content.media_type == HTML {
            builder = builder.header(CONTENT_SECURITY_POLICY, POLICY);
        }
        response::finish(builder, content.bytes)
    }
}

/// The refusal of a method that does not only read.
pub(crate) fn refusal_unless_read(method: &Method) -> Option<Response<Full<Bytes>>> {
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let mut refused = response::page(Code::MethodNotAllowed);
    refused.headers_mut().insert(ALLOW, ALLOWED);
    Some(refused)
}

/// A tag that changes with the content. Who could choose two of one tag would have chosen our keys.
fn entity_tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
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
