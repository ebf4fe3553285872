//! One request from its head to its answer, in the order of checks that Django and Django REST Framework have:
//! size, host, path, slash, negotiation, authentication, permission, method, body, handler.

use std::borrow::Cow;

use bytes::Bytes;
use countersign_auth::Auth;
use countersign_domain::User;
use http::header::{ACCEPT, CONTENT_TYPE, EXPECT, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;

use crate::endpoint::{Answer, Authentication, Call, Endpoint, EndpointMethod, metadata};
use crate::error::{Error, Refused};
use crate::request::accept::{Negotiated, Renderer, negotiate};
use crate::request::host::AllowedHosts;
use crate::request::{BodyError, Fields, header_text, parse_query, percent};
use crate::routes::{Route, find};
use crate::{bearer, body, response};

/// The longest request line, as gunicorn has it; the answer beyond is 414.
const MAX_REQUEST_LINE: usize = 4094;
/// The longest header line, likewise; 431.
const MAX_HEADER_LINE: usize = 8190;

/// What stands for the header `Host` when an HTTP/1.0 client sends none: the name a WSGI server would give.
const SERVER_NAME: &[u8] = b"127.0.0.1";

/// What settings decide about the wire.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ALLOWED_HOSTS`.
    pub allowed_hosts: AllowedHosts,
    /// `AUTH_HEADER_TYPES`: the words that may stand before a bearer token; the first is named in challenges.
    pub auth_header_types: Vec<String>,
    /// The header that carries the bearer token, by default `Authorization`.
    pub auth_header_name: HeaderName,
    /// The forms in which answers can be given, in order of preference.
    pub renderers: Vec<Renderer>,
}

/// The wire on top of the use-cases.
pub struct Service {
    auth: Auth,
    settings: Settings,
}

impl Service {
    /// Puts the wire on top of `auth`.
    #[must_use]
    pub fn new(auth: Auth, settings: Settings) -> Self {
        Self { auth, settings }
    }

    /// Answers one request. Never fails: what goes wrong is an answer too.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        if let Some(status) = refused_by_server(&head) {
            return response::page(status);
        }
        let host = joined(&head.headers, &HOST);
        if !self.settings.allowed_hosts.permits(host.as_deref().unwrap_or(SERVER_NAME)) {
            return response::bad_host();
        }
        let path = percent::decode_path(head.uri.path().as_bytes());
        match find(&path) {
            Route::Endpoint(endpoint) => self.answer_endpoint(endpoint, &head, body).await,
            Route::AppendSlash(path) => response::redirect(path, head.uri.query()),
            Route::NotFound => response::page(StatusCode::NOT_FOUND),
        }
    }

    async fn answer_endpoint<B>(&self, endpoint: &Endpoint, head: &Parts, body: B) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (negotiated, outcome) = match self.negotiate(head) {
            Ok(negotiated) => {
                let outcome = self.call(endpoint, head, body).await;
                (negotiated, outcome)
            }
            Err(error) => (Negotiated::compact_json(), Err(error)),
        };
        let answer = match outcome.map_err(Refused::from) {
            Ok(answer) | Err(Refused::Answer(answer)) => answer,
            Err(Refused::BadRequestPage) => return response::page(StatusCode::BAD_REQUEST),
        };
        response::render(endpoint, &negotiated, &self.settings, &answer)
    }

    fn negotiate(&self, head: &Parts) -> Result<Negotiated, Error> {
        let content_type = head.headers.get(CONTENT_TYPE).map(|value| header_text(value.as_bytes()));
        let query = head.uri.query().unwrap_or_default().as_bytes();
        let fields = parse_query(content_type.as_deref(), query).map_err(BodyError::from)?;
        let accept = joined(&head.headers, &ACCEPT).map(|value| header_text(&value));
        Ok(negotiate(accept.as_deref(), fields.find_text("format"), &self.settings.renderers)?)
    }

    async fn call<B>(&self, endpoint: &Endpoint, head: &Parts, body: B) -> Result<Answer, Error>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let user = self.authenticate(endpoint, head)?;
        if head.method == Method::OPTIONS {
            let renders: Vec<_> =
                self.settings.renderers.iter().map(|renderer| renderer.media_type()).collect();
            return Ok(Answer::ok(metadata(endpoint, &renders)));
        }
        if !endpoint.method.is(&head.method) {
            return Err(Error::MethodNotAllowed(head.method.to_string()));
        }
        let data = match endpoint.method {
            EndpointMethod::Post => body::read(&head.headers, body).await?,
            EndpointMethod::Get => body::Data::Form(Fields::default()),
        };
        (endpoint.handle)(Call::new(&self.auth, user, data)).await
    }

    fn authenticate(&self, endpoint: &Endpoint, head: &Parts) -> Result<Option<User>, Error> {
        if endpoint.authentication == Authentication::Ignored {
            return Ok(None);
        }
        let header = joined(&head.headers, &self.settings.auth_header_name);
        let token = bearer::token(header.as_deref().unwrap_or_default(), &self.settings.auth_header_types)?;
        match token {
            Some(token) => Ok(Some(self.auth.authenticate(&String::from_utf8_lossy(token))?)),
            None if endpoint.authentication == Authentication::Required => Err(Error::NotAuthenticated),
            None => Ok(None),
        }
    }
}

/// The value of a header; several lines of the same name are joined by commas, as WSGI servers do.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    let rest: Vec<&[u8]> = values.map(http::HeaderValue::as_bytes).collect();
    if rest.is_empty() {
        return Some(Cow::Borrowed(first));
    }
    let all: Vec<&[u8]> = std::iter::once(first).chain(rest).collect();
    Some(Cow::Owned(all.join(&b","[..])))
}

/// What gunicorn refuses before Django sees the request.
fn refused_by_server(head: &Parts) -> Option<StatusCode> {
    let uri = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let request_line = head.method.as_str().len() + uri + " HTTP/1.1 ".len();
    // With ": " and the line's end, which count as well.
    let header_line =
        |(name, value): (&HeaderName, &http::HeaderValue)| name.as_str().len() + value.len() + 4;
    if is_odd(head.method.as_str()) || is_odd_target(head) || repeats_a_singleton(&head.headers) {
        Some(StatusCode::BAD_REQUEST)
    } else if request_line > MAX_REQUEST_LINE {
        Some(StatusCode::URI_TOO_LONG)
    } else if head.headers.iter().map(header_line).any(|length| length > MAX_HEADER_LINE) {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else if expects_more_than_continue(&head.headers) {
        Some(StatusCode::EXPECTATION_FAILED)
    } else {
        None
    }
}

/// A method that gunicorn does not take for one.
fn is_odd(method: &str) -> bool {
    !(3..=20).contains(&method.len()) || method.bytes().any(|byte| byte.is_ascii_lowercase() || byte == b'#')
}

/// A target that is no URI of RFC 3986 (bytes beyond ASCII), or of a form that its method may not have (RFC 9112 §3.2):
/// `*` is for `OPTIONS`, a bare `host:port` for `CONNECT`.
fn is_odd_target(head: &Parts) -> bool {
    let is_host_and_port = head.uri.scheme().is_none() && head.uri.authority().is_some();
    !head.uri.path_and_query().is_none_or(|target| target.as_str().is_ascii())
        || (head.uri.path() == "*" && head.method != Method::OPTIONS)
        || (is_host_and_port && head.method != Method::CONNECT)
}

/// Two lines of a header that has one value only: a proxy before us might have gone by the other one.
fn repeats_a_singleton(headers: &HeaderMap) -> bool {
    [HOST, CONTENT_TYPE].iter().any(|name| headers.get_all(name).iter().nth(1).is_some())
}

/// An expectation other than the one that every server of HTTP/1.1 fulfils.
fn expects_more_than_continue(headers: &HeaderMap) -> bool {
    headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: http::request::Builder) -> Option<u16> {
        let (head, ()) = request.body(()).expect("the request is well-formed").into_parts();
        refused_by_server(&head).map(|status| status.as_u16())
    }

    #[test]
    fn a_target_beyond_ascii_or_of_another_methods_form_is_refused() {
        assert_eq!(refused(Request::get("/user/api/me/?name=é")), Some(400));
        assert_eq!(refused(Request::get("/é")), Some(400));
        assert_eq!(refused(Request::get("*")), Some(400));
        assert_eq!(refused(Request::get("localhost:80")), Some(400));
        assert_eq!(refused(Request::options("*")), None);
        assert_eq!(refused(Request::get("http://localhost:80/user/api/me/?name=%C3%A9")), None);
    }

    #[test]
    fn a_second_host_or_content_type_is_refused_even_when_equal() {
        let post = || Request::post("/user/api/login/").header("Host", "a").header("Content-Type", "a/b");
        assert_eq!(refused(post()), None);
        assert_eq!(refused(post().header("Host", "a")), Some(400));
        assert_eq!(refused(post().header("Content-Type", "a/b")), Some(400));
        assert_eq!(refused(post().header("Accept", "a/b").header("Accept", "a/b")), None);
    }

    #[test]
    fn an_unknown_expectation_is_refused() {
        assert_eq!(refused(Request::get("/").header("Expect", "100-Continue")), None);
        assert_eq!(refused(Request::get("/").header("Expect", "a-miracle")), Some(417));
    }

    #[test]
    fn a_header_line_counts_with_its_end() {
        let line = |length: usize| Request::get("/").header("X-L", "a".repeat(length - "X-L: ".len()));
        assert_eq!(refused(line(8188)), None);
        assert_eq!(refused(line(8189)), Some(431));
    }
}
