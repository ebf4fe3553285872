//! Proofs that only who knows a secret can make: of what was handed out and comes back, and of names that are not to be
//! read.

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use crate::derived::derive;

/// Makes and checks message authentication codes (HMAC-SHA256) with a key derived from a secret. `Debug` does not show it.
pub struct Mac(hmac::Key);

impl Mac {
    /// With the key that HKDF-SHA256 (RFC 5869) derives from a secret for one purpose. The secret must be a strong one:
    /// nothing here slows down guessing.
    ///
    /// # Panics
    /// When the crypto library runs out of memory.
    #[must_use]
    pub fn derive(secret: &[u8], purpose: &[u8]) -> Self {
        let key: Zeroizing<[u8; 32]> = derive(secret, purpose);
        Self(hmac::Key::new(HMAC_SHA256, &*key))
    }

    /// The code of these parts, each with its length, so that no two lists of parts are alike.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let tag = hmac::sign(&self.0, &framed(parts));
        let mut code = [0; 32];
        code.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        code
    }

    /// Whether this is the code of these parts; how long that takes does not tell how much of it is right.
    #[must_use]
    pub fn is_of(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        hmac::verify(&self.0, &framed(parts), code).is_ok()
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Mac")
    }
}

fn framed(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let framed =
        parts.iter().flat_map(|part| part.len().to_be_bytes().into_iter().chain(part.iter().copied()));
    Zeroizing::new(framed.collect())
}
