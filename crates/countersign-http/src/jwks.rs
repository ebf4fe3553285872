//! `GET /.well-known/jwks.json`: the public keys that verify our tokens, as a JWK set (RFC 7517).

use countersign_auth::Auth;

use crate::document::{Content, Document};

pub(crate) const DOCUMENT: Document = Document {
    path: "/.well-known/jwks.json",
    name: "jwks",
    summary: "The public keys that verify tokens, as a JWK set (RFC 7517)",
    content_type: "application/json",
    is_of_the_api: true,
    content: key_set,
};

fn key_set(auth: &Auth) -> Content {
    let keys = auth.key_set();
    let cache = format!("public, max-age={}", keys.max_age_secs);
    Content { bytes: keys.json.into(), cache, is_gzip: false }
}
