//! What a page has to show beside its cookies: a mark that only this service can make, for one session each.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// What else is derived from the same secret must have another purpose.
const PURPOSE: &[u8] = b"countersign csrf tokens v1";

/// Makes and checks CSRF tokens: HMAC-SHA256 over the id of a session. `Debug` does not show it.
#[derive(Clone)]
pub struct CsrfKey(hmac::Key);

impl CsrfKey {
    /// With the key that HKDF-SHA256 (RFC 5869) derives from a secret.
    ///
    /// # Panics
    /// When the crypto library runs out of memory.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Salt::none(HKDF_SHA256)
            .extract(secret)
            .expand(&[PURPOSE], HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut *key))
            .expect("the key is as long as the digest");
        Self(hmac::Key::new(HMAC_SHA256, &*key))
    }

    /// The token of a session.
    #[must_use]
    pub fn token(&self, session: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, session.as_bytes()))
    }

    /// Whether this is the token of the session, found out in a time that tells nothing of it.
    #[must_use]
    pub fn is_token(&self, session: &str, text: &[u8]) -> bool {
        let tag = BASE64_URL_SAFE_NO_PAD.decode(text);
        tag.is_ok_and(|tag| hmac::verify(&self.0, session.as_bytes(), &tag).is_ok())
    }
}

impl fmt::Debug for CsrfKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("CsrfKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_and_its_secret_alone() {
        let key = CsrfKey::derive(b"secret");
        let token = key.token("session 1");
        assert!(key.is_token("session 1", token.as_bytes()));
        assert!(!key.is_token("session 2", token.as_bytes()));
        assert!(!CsrfKey::derive(b"Secret").is_token("session 1", token.as_bytes()));
        for end in 0..token.len() {
            assert!(!key.is_token("session 1", &token.as_bytes()[..end]), "its first {end} characters");
        }
        assert!(!key.is_token("session 1", format!("{token}A").as_bytes()));
    }

    #[test]
    fn a_token_is_what_others_make_in_the_same_way() {
        // By Python's `hmac`, HKDF written out.
        let token = CsrfKey::derive(b"secret").token("8f0c2a5b5a3e4c0f9d1e2b3a4c5d6e7f");
        assert_eq!(token, "anRJ04iclBXzSP682KEGuXpfq-aIfQA_WtY3xLKjadw");
    }
}
