//! `GET /.well-known/jwks.json`: the public keys that verify our tokens, as a JWK set (RFC 7517).

use countersign_auth::Auth;

use crate::document::{Content, Document, JSON, Source};

pub(crate) const DOCUMENT: Document = Document {
    path: "/.well-known/jwks.json",
    name: "jwks",
    summary: "The public keys that verify tokens, as a JWK set (RFC 7517)",
    content_types: &[JSON],
    source: Source::Each(|service, _| key_set(service.auth())),
};

fn key_set(auth: &Auth) -> Content {
    let keys = auth.key_set();
    let cache = format!("public, max-age={}", keys.max_age_secs);
    Content { cache, ..Content::plain(keys.json) }
}
