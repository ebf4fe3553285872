//! Sealing small secrets, such as private keys, so that they can be kept in a database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use std::fmt;
use zeroize::Zeroizing;

use crate::derived::derive;

/// What else is derived from the same secret must have another purpose.
const PURPOSE: &[u8] = b"countersign signing keys v1";

/// Encrypts and authenticates with a key derived from a secret. `Debug` does not show it.
///
/// A sealed text is a nonce, the ciphertext and a tag: AES-256-GCM with random nonces (NIST SP 800-38D section 8.2.2),
/// good for far more texts than a service has keys.
pub struct Seal {
    key: RandomizedNonceKey,
}

impl Seal {
    /// With the key that HKDF-SHA256 (RFC 5869) derives from a secret. The secret must be a strong one: nothing here
    /// slows down guessing.
    ///
    /// # Panics
    /// When the crypto library runs out of memory.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let key = derive(secret, PURPOSE);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*key).expect("the key is as long as AES-256 has it");
        Self { key }
    }

    /// Seals a text. Whoever opens it must give the same associated data (what the text is, and whose), so that sealed
    /// texts cannot be exchanged for each other; it is not in the result.
    ///
    /// # Panics
    /// When the crypto library runs out of memory or randomness.
    #[must_use]
    pub fn seal(&self, plain: &[u8], associated: &[u8]) -> Vec<u8> {
        let mut text = plain.to_vec();
        let (nonce, tag) = self
            .key
            .seal_in_place_separate_tag(Aad::from(associated), &mut text)
            .expect("there is randomness, and the text is far shorter than 64 GiB");
        [&nonce.as_ref()[..], &text, tag.as_ref()].concat()
    }

    /// The text, if it was sealed with the same secret and associated data and is unchanged since.
    #[must_use]
    pub fn open(&self, sealed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.key.open_in_place(nonce, Aad::from(associated), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Seal")
    }
}
