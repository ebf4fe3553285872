//! `GET /.well-known/jwks.json`: the public keys that verify our tokens, as a JWK set (RFC 7517).

use countersign_auth::Auth;

use crate::document::{Content, Document, JSON, Source};

pub(crate) const DOCUMENT: Document = Document {
    path: "/.well-known/jwks.json",
    name: "jwks",
    summary: "The public keys that verify tokens, as a JWK set (RFC 7517)",
    content_types: &[JSON],
    example: r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                           "use": "sig", "alg": "EdDSA", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}]}"#,
    source: Source::Each(|service, _| key_set(service.auth())),
};

fn key_set(auth: &Auth) -> Content {
    let keys = auth.key_set();
    let cache = format!("public, max-age={}", keys.max_age_secs);
    Content { cache, ..Content::plain(keys.json) }
}
