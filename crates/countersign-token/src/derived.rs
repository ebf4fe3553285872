//! Keys derived from a secret, for purposes that are kept apart.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

/// The key that HKDF-SHA256 (RFC 5869) derives for this purpose.
pub(crate) fn derive(secret: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::none(HKDF_SHA256)
        .extract(secret)
        .expand(&[purpose], HKDF_SHA256)
        .and_then(|derived| derived.fill(&mut *key))
        .expect("the key is as long as the digest");
    key
}
