//! The layer: who gets through, and what the others are told.

use crate::vectors::recorded_at;
use countersign_token::{Algorithm, BearerLayer, Claims, Keys, Settings, Tokens, Verifier, VerifyingKey};
use http::{HeaderValue, Request, Response};
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll, Waker};
use tower_layer::Layer;
use tower_service::Service;

/// Answers with the user's id.
struct WhoAmI;

impl Service<Request<()>> for WhoAmI {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let claims = request.extensions().get::<Claims>().unwrap();
        ready(Ok(Response::new(claims.get("user_id").unwrap().as_str().unwrap().to_owned())))
    }
}

fn tokens(secret: &[u8]) -> Tokens {
    Tokens::new(Settings::default(), Keys::new(Algorithm::HS256, secret, b"").unwrap())
}

fn verifier(secret: &[u8]) -> Arc<Verifier> {
    let key = VerifyingKey::new(Algorithm::HS256, secret).unwrap();
    Arc::new(Verifier::new(Settings::default(), vec![key]))
}

fn access(secret: &[u8], minted: Timestamp) -> String {
    let tokens = tokens(secret);
    let refresh = tokens.refresh_for("7", None, "x", minted);
    tokens.encode(&tokens.access_from(&refresh, "y", minted))
}

fn layer() -> BearerLayer {
    let verifier = verifier(b"secret");
    BearerLayer::new(move || Arc::clone(&verifier), recorded_at)
}

/// What a request with these `Authorization` headers is answered.
fn answer(layer: &BearerLayer, headers: &[&[u8]]) -> Response<String> {
    let mut request = Request::new(());
    for header in headers {
        request.headers_mut().append("authorization", HeaderValue::from_bytes(header).unwrap());
    }
    let mut service = layer.layer(WhoAmI);
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn denied(headers: &[&[u8]]) -> String {
    let response = answer(&layer(), headers);
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="api""#);
    assert_eq!(response.headers()["content-type"], "application/json");
    response.into_body()
}

fn bad_token(message: &str) -> String {
    format!(
        r#"{{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{{"token_class":"AccessToken","token_type":"access","message":"{message}"}}]}}"#
    )
}

#[test]
fn a_good_access_token_goes_through_with_its_claims() {
    let token = access(b"secret", recorded_at());
    for header in [format!("Bearer {token}"), format!("\tBearer  \t{token} ")] {
        let response = answer(&layer(), &[header.as_bytes()]);
        assert_eq!((response.status().as_u16(), response.body().as_str()), (200, "7"));
    }
}

#[test]
fn without_a_bearer_token_it_is_asked_for() {
    let headers: [&[&[u8]]; 6] =
        [&[], &[b""], &[b"Basic x"], &[b"bearer x"], &[b"Bearerx"], &[b"Basic x", b"Bearer x"]];
    for headers in headers {
        assert_eq!(denied(headers), r#"{"detail":"Authentication credentials were not provided."}"#);
    }
}

#[test]
fn a_header_of_another_form_is_refused() {
    let headers: [&[&[u8]]; 3] = [&[b"Bearer"], &[b"Bearer a b"], &[b"Bearer a", b"Bearer b"]];
    for headers in headers {
        assert_eq!(
            denied(headers),
            r#"{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}"#
        );
    }
}

#[test]
fn a_token_that_is_not_good_is_refused_in_its_own_words() {
    let bearer = |token: &str| denied(&[format!("Bearer {token}").as_bytes()]);
    assert_eq!(bearer("x"), bad_token("Token is invalid"));
    assert_eq!(bearer(&access(b"another", recorded_at())), bad_token("Token is invalid"));
    let old = recorded_at() - SignedDuration::from_mins(5);
    assert_eq!(bearer(&access(b"secret", old)), bad_token("Token is expired"));
    let refresh = tokens(b"secret").refresh_for("7", None, "x", recorded_at());
    assert_eq!(bearer(&tokens(b"secret").encode(&refresh)), bad_token("Token has wrong type"));
    assert_eq!(denied(&[b"Bearer \xff"]), bad_token("Token is invalid"));
}

#[test]
fn the_verifier_can_be_exchanged_while_the_service_runs() {
    let current = Arc::new(RwLock::new(verifier(b"old")));
    let read = Arc::clone(&current);
    let layer = BearerLayer::new(move || Arc::clone(&read.read().unwrap()), recorded_at);
    let header = format!("Bearer {}", access(b"new", recorded_at()));
    assert_eq!(answer(&layer, &[header.as_bytes()]).status(), 401);
    *current.write().unwrap() = verifier(b"new");
    assert_eq!(answer(&layer, &[header.as_bytes()]).status(), 200);
}

#[test]
fn the_layer_shows_no_key() {
    assert_eq!(format!("{:?}", layer()), "BearerLayer");
}
