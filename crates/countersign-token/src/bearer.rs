//! A `tower` layer for a service that is handed access tokens and only verifies them (RFC 6750 section 2.1).

use crate::json::{Object, Value, to_response};
use crate::{Claims, Kind, Refusal, Verifier};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use jiff::Timestamp;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Lets only requests with a good access token through, and answers the others as Simple JWT does.
///
/// The token's [`Claims`] are in the extensions of the requests that go through. The others get 401, with
/// `WWW-Authenticate` and a JSON body that says why. That the user still exists and is active is not looked up; an
/// access token lives a few minutes.
///
/// ```
/// use countersign_token::{Algorithm, BearerLayer, Settings, Verifier, VerifyingKey};
/// use jiff::Timestamp;
/// use std::sync::Arc;
///
/// let key = VerifyingKey::new(Algorithm::HS256, b"a secret that both services know, long enough")?;
/// let verifier = Arc::new(Verifier::new(Settings::default(), vec![key]));
/// let layer = BearerLayer::new(move || Arc::clone(&verifier), Timestamp::now);
/// # Ok::<(), countersign_token::KeyError>(())
/// ```
#[derive(Clone)]
pub struct BearerLayer {
    gate: Arc<Gate>,
}

struct Gate {
    verifier: Box<dyn Fn() -> Arc<Verifier> + Send + Sync>,
    clock: fn() -> Timestamp,
}

impl BearerLayer {
    /// Asks for the verifier and the time at each request, so that a service that fetches its keys can exchange the
    /// verifier while it runs.
    #[must_use]
    pub fn new(
        verifier: impl Fn() -> Arc<Verifier> + Send + Sync + 'static,
        clock: fn() -> Timestamp,
    ) -> Self {
        Self { gate: Arc::new(Gate { verifier: Box::new(verifier), clock }) }
    }
}

impl fmt::Debug for BearerLayer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BearerLayer")
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = Bearer<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Bearer { inner, gate: Arc::clone(&self.gate) }
    }
}

/// A service behind a [`BearerLayer`].
#[derive(Clone)]
pub struct Bearer<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S: fmt::Debug> fmt::Debug for Bearer<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Bearer").field(&self.inner).finish()
    }
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for Bearer<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    ResponseBody: From<String>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BearerFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        match self.gate.claims(request.headers()) {
            Ok(claims) => {
                request.extensions_mut().insert(claims);
                BearerFuture(Outcome::Passed(Box::pin(self.inner.call(request))))
            }
            Err(denial) => BearerFuture(Outcome::Denied(ready(Ok(denial.response())))),
        }
    }
}

/// The answer of a [`Bearer`].
pub struct BearerFuture<F: Future>(Outcome<F>);

enum Outcome<F: Future> {
    Passed(Pin<Box<F>>),
    Denied(Ready<F::Output>),
}

impl<F: Future> fmt::Debug for BearerFuture<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BearerFuture")
    }
}

impl<F: Future> Future for BearerFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Passed(inner) => inner.as_mut().poll(context),
            Outcome::Denied(answer) => Pin::new(answer).poll(context),
        }
    }
}

impl Gate {
    fn claims(&self, headers: &HeaderMap) -> Result<Claims, Denial> {
        // Several lines of a header are one with commas, as for a WSGI server.
        let lines: Vec<&[u8]> = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
        let header = lines.join(&b',');
        // Bytes that are no text are in no token's alphabet either.
        let token = String::from_utf8_lossy(token_in(&header)?);
        let (verifier, now) = ((self.verifier)(), (self.clock)());
        let claims = verifier.decode(&token, now).map_err(Denial::BadToken)?;
        verifier.check(&claims, Kind::Access, now).map_err(Denial::BadToken)?;
        Ok(claims)
    }
}

/// Reads `Bearer TOKEN`: words are separated by ASCII white space, and case matters.
fn token_in(header: &[u8]) -> Result<&[u8], Denial> {
    let mut words = header
        .split(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c))
        .filter(|word| !word.is_empty());
    if words.next() != Some(b"Bearer") {
        return Err(Denial::NoToken);
    }
    match (words.next(), words.next()) {
        (Some(token), None) => Ok(token),
        _ => Err(Denial::BadHeader),
    }
}

/// Why a request does not go through.
enum Denial {
    NoToken,
    BadHeader,
    BadToken(Refusal),
}

impl Denial {
    fn response<B: From<String>>(&self) -> Response<B> {
        let mut response = Response::new(B::from(to_response(&self.body(), None)));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="api""#));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn body(&self) -> Value {
        let (detail, code) = match self {
            Self::NoToken => ("Authentication credentials were not provided.", None),
            Self::BadHeader => (
                "Authorization header must contain two space-delimited values",
                Some("bad_authorization_header"),
            ),
            Self::BadToken(_) => ("Given token not valid for any token type", Some("token_not_valid")),
        };
        let mut body = Object::from_iter([("detail", detail)]);
        if let Some(code) = code {
            body.insert("code", code);
        }
        if let Self::BadToken(refusal) = self {
            let tried = Object::from_iter([
                ("token_class", Kind::Access.class_name()),
                ("token_type", Kind::Access.name()),
                ("message", &refusal.to_string()),
            ]);
            body.insert("messages", vec![Value::from(tried)]);
        }
        body.into()
    }
}
