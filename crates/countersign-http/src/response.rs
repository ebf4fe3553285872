//! Answers as bytes: headers that are always there, JSON, and the HTML pages.

use bytes::Bytes;
use countersign_token::json::to_response;
use http::header::{
    ALLOW, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::response::Builder;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use crate::api_page::api_page;
use crate::endpoint::{Answer, Endpoint};
use crate::error::{Code, RETRY_AFTER_SECS};
use crate::request::accept::{Negotiated, Renderer};
use crate::request::percent::encode_query;
use crate::service::Settings;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const ON_ACCEPT: HeaderValue = HeaderValue::from_static("Accept");
const ON_ACCEPT_AND_COOKIE: HeaderValue = HeaderValue::from_static("Accept, Cookie");
/// More headers than an answer has as a rule. (Growing a map of headers costs as much as filling it.)
const USUAL_HEADERS: usize = 12;

/// An endpoint's answer in the form that was negotiated.
pub(crate) fn render(
    endpoint: &Endpoint,
    negotiated: &Negotiated,
    settings: &Settings,
    answer: &Answer,
) -> Response<Full<Bytes>> {
    let mut head = framed(answer.status).header(ALLOW, HeaderValue::from_static(endpoint.allow()));
    if answer.status == StatusCode::UNAUTHORIZED {
        let scheme = settings.auth_header_types.first().map_or("Bearer", String::as_str);
        head = head.header(WWW_AUTHENTICATE, format!("{scheme} realm=\"api\""));
    }
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        head = head.header(RETRY_AFTER, RETRY_AFTER_SECS);
    }
    for (name, value) in &answer.headers {
        head = head.header(name, value);
    }
    match negotiated.renderer {
        Renderer::Api if answer.status == StatusCode::NO_CONTENT => {
            finish(head.header(VARY, ON_ACCEPT_AND_COOKIE), String::new())
        }
        Renderer::Json => {
            if endpoint.negotiates() && settings.renderers.len() > 1 {
                head = head.header(VARY, ON_ACCEPT);
            }
            if answer.status == StatusCode::NO_CONTENT {
                return finish(head, String::new());
            }
            finish(head.header(CONTENT_TYPE, JSON), to_response(&answer.body, negotiated.indent))
        }
        Renderer::Api => {
            let page = api_page(endpoint, answer);
            finish(head.header(VARY, ON_ACCEPT_AND_COOKIE).header(CONTENT_TYPE, HTML), page)
        }
    }
}

/// Django's page for a refusal.
pub(crate) fn page(code: Code) -> Response<Full<Bytes>> {
    let status = code.status();
    let (title, text) = match status {
        StatusCode::NOT_FOUND => ("Not Found", "The requested resource was not found on this server."),
        StatusCode::BAD_REQUEST => ("Bad Request (400)", ""),
        StatusCode::INTERNAL_SERVER_ERROR => ("Server Error (500)", ""),
        _ => (status.canonical_reason().unwrap_or("Error"), ""),
    };
    finish(framed(status).header(CONTENT_TYPE, HTML).extension(code), html_page(title, text))
}

/// The answer of a server that has no place for another connection.
pub(crate) fn full() -> Response<Full<Bytes>> {
    let mut response = page(Code::NoPlace);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECS));
    response
}

/// Django's answer for a host that is not allowed.
pub(crate) fn bad_host() -> Response<Full<Bytes>> {
    let mut response = page(Code::DisallowedHost);
    response.headers_mut().remove(X_FRAME_OPTIONS); // refused before Django's middleware for that header
    response
}

/// `APPEND_SLASH`: the same path with a slash, and the query.
pub(crate) fn redirect(path: &str, query: Option<&str>) -> Response<Full<Bytes>> {
    let location = match query {
        Some(query) if !query.is_empty() => format!("{path}?{}", encode_query(query.as_bytes())),
        _ => path.to_owned(),
    };
    let head = plain(StatusCode::MOVED_PERMANENTLY).header(LOCATION, location).header(CONTENT_TYPE, HTML);
    finish(head, String::new())
}

/// An empty page that has not come as far as Django's views.
pub(crate) fn empty_page() -> Response<Full<Bytes>> {
    finish(plain(StatusCode::OK).header(CONTENT_TYPE, HTML), String::new())
}

/// Says that the answer depends on this header of the request as well (Django's `patch_vary_headers`).
pub(crate) fn vary_on(headers: &mut HeaderMap, name: &'static str) {
    let said = headers.get(VARY).and_then(|said| said.to_str().ok()).unwrap_or_default();
    let said: Vec<&str> = said.split(',').map(str::trim).filter(|said| !said.is_empty()).collect();
    if !said.iter().any(|said| said.eq_ignore_ascii_case(name)) {
        let all = [said, vec![name]].concat().join(", ");
        headers
            .insert(VARY, HeaderValue::try_from(all).expect("what was said, and a name, are visible ASCII"));
    }
}

fn plain(status: StatusCode) -> Builder {
    let mut head = Response::builder().status(status);
    if let Some(headers) = head.headers_mut() {
        headers.reserve(USUAL_HEADERS);
    }
    head.header(X_CONTENT_TYPE_OPTIONS, NOSNIFF)
        .header(REFERRER_POLICY, SAME_ORIGIN)
        .header(CROSS_ORIGIN_OPENER_POLICY, SAME_ORIGIN)
}

/// The beginning of an answer, with the headers that are always there.
pub(crate) fn framed(status: StatusCode) -> Builder {
    plain(status).header(X_FRAME_OPTIONS, DENY)
}

/// The answer with its body.
pub(crate) fn finish(head: Builder, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    head.body(Full::from(body.into())).expect("every header value above is visible ASCII")
}

fn html_page(title: &str, text: &str) -> String {
    format!(
        "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>{title}</title>\n</head>\n<body>\n  \
         <h1>{title}</h1><p>{text}</p>\n</body>\n</html>\n"
    )
}
