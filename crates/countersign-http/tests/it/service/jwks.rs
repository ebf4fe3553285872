//! The public keys, for programs that verify our tokens by themselves.

use countersign_token::Algorithm;
use http::Method;
use serde_json::{Value, json};

use crate::actors::{Answer, World};

const JWKS: &str = "/.well-known/jwks.json";

/// A program that verifies our tokens.
struct Verifier {
    world: World,
}

impl Verifier {
    fn new() -> Self {
        Self { world: World::new() }
    }

    /// Has the operator make a key, and lets the server take notice.
    async fn generate(&self, algorithm: Algorithm) -> String {
        let auth = self.world.service.auth();
        let kid = auth.key_ring().generate(algorithm, false).await.unwrap().kid;
        auth.key_ring().rotate(true).await.unwrap();
        assert!(auth.reload_keys().await.unwrap());
        kid
    }

    async fn ask(&self, method: Method, headers: &[(&str, &str)]) -> Answer {
        self.ask_for(JWKS, method, headers).await
    }

    async fn ask_for(&self, path: &str, method: Method, headers: &[(&str, &str)]) -> Answer {
        let answer = self.world.ask(method, path, headers).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value);
        }
        answer
    }

    async fn fetch(&self) -> Value {
        let response = self.ask(Method::GET, &[]).await;
        assert_eq!(response.status, 200);
        response.json()
    }
}

#[tokio::test]
async fn a_service_with_a_shared_secret_publishes_no_key() {
    assert_eq!(Verifier::new().fetch().await, json!({"keys": []}));
}

#[tokio::test]
async fn each_key_pair_is_published_with_its_name_and_without_its_private_part() {
    let verifier = Verifier::new();
    let old = verifier.generate(Algorithm::ES256).await;
    let new = verifier.generate(Algorithm::EdDSA).await;
    let set = verifier.fetch().await;
    let keys = set["keys"].as_array().unwrap();
    let members = |key: &Value| key.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys.len(), 2);
    assert_eq!([&keys[0]["kid"], &keys[1]["kid"]], [&json!(new), &json!(old)]);
    assert_eq!(members(&keys[0]), ["crv", "kty", "x", "use", "alg", "kid"]);
    assert_eq!(members(&keys[1]), ["crv", "kty", "x", "y", "use", "alg", "kid"]);
    assert_eq!([&keys[0]["alg"], &keys[1]["alg"]], [&json!("EdDSA"), &json!("ES256")]);
}

#[tokio::test]
async fn the_document_may_be_kept_for_half_the_publish_window_and_no_longer() {
    let response = Verifier::new().ask(Method::GET, &[("accept", "image/png")]).await;
    assert_eq!(response.status, 200, "the form is not negotiated");
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.header("cache-control"), "public, max-age=300");
    assert_eq!((response.header("vary"), response.header("allow")), ("", ""));
}

#[tokio::test]
async fn who_has_the_document_is_told_so_until_a_key_changes() {
    let verifier = Verifier::new();
    let first = verifier.ask(Method::GET, &[]).await;
    let tag = first.header("etag").to_owned();
    let weak = format!("\"another\" , W/{tag}");
    for known in [tag.as_str(), &weak, "*"] {
        let response = verifier.ask(Method::GET, &[("if-none-match", known)]).await;
        assert_eq!(response.status, 304, "{known}");
        assert_eq!(response.header("etag"), tag);
        assert_eq!(response.header("cache-control"), "public, max-age=300");
        assert!(response.body.is_empty());
    }
    let two_lines = [("if-none-match", "\"another\""), ("if-none-match", tag.as_str())];
    assert_eq!(verifier.ask(Method::GET, &two_lines).await.status, 304);
    for unknown in ["\"another\"", "", "nonsense", &tag[1..]] {
        let response = verifier.ask(Method::GET, &[("if-none-match", unknown)]).await;
        assert_eq!(response.status, 200, "{unknown}");
    }
    verifier.generate(Algorithm::EdDSA).await;
    let changed = verifier.ask(Method::GET, &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn a_head_request_gets_the_same_headers() {
    let verifier = Verifier::new();
    let (head, get) = (verifier.ask(Method::HEAD, &[]).await, verifier.ask(Method::GET, &[]).await);
    let but_name = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id"); // each request has its own
        headers
    };
    assert_eq!((head.status, but_name(&head)), (get.status, but_name(&get)));
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_allowed() {
    let verifier = Verifier::new();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let response = verifier.ask(method, &[]).await;
        assert_eq!((response.status.as_u16(), response.header("allow")), (405, "GET, HEAD"));
    }
}

#[tokio::test]
async fn neither_another_host_nor_a_path_that_is_only_similar_is_answered() {
    let verifier = Verifier::new();
    for path in ["/.well-known/jwks.json/", "/.well-known/jwks", "/.well-known/JWKS.json"] {
        assert_eq!(verifier.ask_for(path, Method::GET, &[]).await.status, 404, "{path}");
    }
    let elsewhere = verifier.world.ask(Method::GET, JWKS, &[("host", "elsewhere.example")]).await;
    assert_eq!(elsewhere.status, 400);
}
