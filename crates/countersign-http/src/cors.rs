//! Requests of pages from other origins, answered as django-cors-headers answers them where it stands before Django's
//! `CommonMiddleware`: before hosts, paths and tokens are looked at.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::Full;
use regex_automata::meta::Regex;

use crate::endpoint::AskedBy;
use crate::origins::{Origin, OriginError, Origins, matches_from_the_start, pattern};
use crate::response;
use crate::routes::Route;
use crate::service::joined;

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// Every path, as django-cors-headers spells its default.
const ANY_PATH: &str = "^.*$";
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What pages of other origins may do. The names are those of django-cors-headers' settings.
#[derive(Debug, Clone)]
pub struct Cors {
    /// `CORS_ALLOW_ALL_ORIGINS`.
    pub allow_all_origins: bool,
    /// `CORS_ALLOWED_ORIGINS` and `CORS_ALLOWED_ORIGIN_REGEXES`.
    pub allowed_origins: Origins,
    /// `CORS_ALLOW_CREDENTIALS`.
    pub allow_credentials: bool,
    /// `CORS_ALLOW_HEADERS`, comma-separated.
    pub allow_headers: HeaderValue,
    /// `CORS_ALLOW_METHODS`, comma-separated.
    pub allow_methods: HeaderValue,
    /// `CORS_EXPOSE_HEADERS`, comma-separated.
    pub expose_headers: Option<HeaderValue>,
    /// `CORS_PREFLIGHT_MAX_AGE`, in seconds.
    pub preflight_max_age_secs: u64,
    /// `CORS_URLS_REGEX`; `None` for every path.
    pub urls: Option<UrlPattern>,
    /// `CORS_ALLOW_PRIVATE_NETWORK`.
    pub allow_private_network: bool,
}

/// Which paths are meant: those that begin as the pattern says.
#[derive(Debug, Clone)]
pub struct UrlPattern(Regex);

impl UrlPattern {
    /// Reads `CORS_URLS_REGEX`; `None` for the default.
    pub fn read(text: &str) -> Result<Option<Self>, OriginError> {
        if text == ANY_PATH { Ok(None) } else { pattern(text).map(Self).map(Some) }
    }
}

impl Cors {
    /// Whether requests for this path are meant. `/auth/verify` never is: a proxy asks there, which would take the answer
    /// to a preflight for leave.
    pub(crate) fn covers(&self, route: &Route<'_>, path: &str) -> bool {
        let is_of_proxies =
            matches!(route, Route::Endpoint(_, endpoint, _) if endpoint.asked_by == AskedBy::Proxy);
        !is_of_proxies && self.urls.as_ref().is_none_or(|UrlPattern(urls)| matches_from_the_start(urls, path))
    }

    /// The headers that tell a browser what the page may see.
    pub(crate) fn dress(&self, head: &Parts, answer: &mut HeaderMap) {
        response::vary_on(answer, "origin");
        let Some(allowed) = self.allowed(&head.headers) else { return };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.allow_credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if let Some(exposed) = &self.expose_headers {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        if head.method == Method::OPTIONS {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.allow_headers.clone());
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods.clone());
            if self.preflight_max_age_secs > 0 {
                answer.insert(ACCESS_CONTROL_MAX_AGE, self.preflight_max_age_secs.into());
            }
        }
        if self.allow_private_network && head.headers.get(REQUEST_PRIVATE_NETWORK) == Some(&TRUE) {
            answer.insert(ALLOW_PRIVATE_NETWORK, TRUE);
        }
    }

    /// Whom to allow, if the request is from an origin that may be.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let sent = joined(headers, &ORIGIN).filter(|sent| !sent.is_empty())?;
        let origin = Origin::read(std::str::from_utf8(&sent).ok()?)?;
        match (self.allow_all_origins, self.allow_credentials) {
            (true, false) => Some(HeaderValue::from_static("*")),
            (false, _) if !self.allowed_origins.contains(&origin) => None,
            _ => HeaderValue::from_str(origin.text).ok(),
        }
    }
}

/// Whether a browser asks what a page may do, before it sends what the page wants.
pub(crate) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that, without what [`Cors::dress`] adds.
pub(crate) fn preflight() -> Response<Full<Bytes>> {
    response::empty_page()
}
