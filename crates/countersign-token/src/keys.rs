//! Keys, parsed once: the pair that signs, and others that still verify.

use crate::pem::first_key;
use crate::{Algorithm, SigningKey, VerifyingKey};
use aws_lc_rs::hmac;
use std::fmt;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A shared secret of no bytes.
    #[error("the secret is empty")]
    EmptySecret,
    /// A PEM text as shared secret: whoever has the public key could sign tokens.
    #[error("{0} needs a secret, but the key is a PEM text: set ALGORITHM to match the key")]
    PemAsSecret(&'static str),
    /// An asymmetric key that is not PEM, or PEM that is cut or damaged.
    #[error("the key is not an unbroken PEM text (-----BEGIN ... KEY----- to -----END ... KEY-----)")]
    NotPem,
    /// PEM of something else: a certificate, an encrypted key, an OpenSSH key.
    #[error("the key is PEM of a kind that is not supported: {0}")]
    UnsupportedPem(String),
    /// A public key where a private key is needed.
    #[error("signing needs a private key, but the key is a public one")]
    PublicForSigning,
    /// A key of another type, curve or size than the algorithm takes, or one that is damaged.
    #[error("{algorithm} needs {wanted}, but the key is not ({reason})")]
    Unfit {
        /// The algorithm's name.
        algorithm: &'static str,
        /// The kind of key it takes.
        wanted: &'static str,
        /// What the crypto library says.
        reason: String,
    },
    /// An Ed448 key.
    #[error("the key is an Ed448 key, which is not supported: EdDSA needs an Ed25519 key")]
    Ed448,
    /// The two keys do not belong together, so that no token would ever verify.
    #[error("the verifying key does not belong to the signing key")]
    NotAPair,
    /// A key pair was asked for, to name or to generate, and the algorithm has none.
    #[error("{0} needs a secret, not a key pair")]
    NoKeyPair(&'static str),
    /// The crypto library could not generate a key.
    #[error("a key could not be generated ({0})")]
    NotGenerated(String),
}

/// A signing key, the verifying key that belongs to it, and any others whose tokens are good: those of the keys that
/// signed before, and of the one that will sign next.
#[derive(Debug)]
pub struct Keys {
    pub(crate) signing: SigningKey,
    pub(crate) verifying: VerifyingKey,
    pub(crate) others: Vec<VerifyingKey>,
}

impl Keys {
    /// A pair without a name, from Simple JWT's settings `ALGORITHM`, `SIGNING_KEY` and `VERIFYING_KEY`; its tokens
    /// carry no `kid`, like Simple JWT's own.
    ///
    /// HS*: the secret, of any length; the verifying key is ignored. Others: PEM. An empty verifying key is derived
    /// from the signing key. A signature is made and verified to prove the pair.
    pub fn new(algorithm: Algorithm, signing_key: &[u8], verifying_key: &[u8]) -> Result<Self, KeyError> {
        let signing = SigningKey::new(algorithm, signing_key)?;
        let one_key = algorithm.is_symmetric() || verifying_key.is_empty();
        let verifying = VerifyingKey::new(algorithm, if one_key { signing_key } else { verifying_key })?;
        let proof = signing.try_sign(b"proof").map_err(|error| unfit(algorithm, &error))?;
        if verifying.verifies(b"proof", &proof) {
            Ok(Self { signing, verifying, others: Vec::new() })
        } else {
            Err(KeyError::NotAPair)
        }
    }

    /// A pair whose tokens name it in their header's `kid`, from a private key in PEM; see
    /// [`VerifyingKey::named`]. HS* have no pair to name.
    pub fn named(algorithm: Algorithm, private_key_pem: &[u8]) -> Result<Self, KeyError> {
        if algorithm.is_symmetric() {
            return Err(KeyError::NoKeyPair(algorithm.name()));
        }
        let pair = Self::new(algorithm, private_key_pem, b"")?;
        Ok(Self { verifying: pair.verifying.named(), ..pair })
    }

    /// The same keys, and one more whose tokens are good.
    #[must_use]
    pub fn also_verifying(mut self, key: VerifyingKey) -> Self {
        self.others.push(key);
        self
    }
}

pub(crate) fn hmac_key(
    algorithm: Algorithm,
    hmac: hmac::Algorithm,
    secret: &[u8],
) -> Result<Box<hmac::Key>, KeyError> {
    if secret.is_empty() {
        return Err(KeyError::EmptySecret);
    }
    if !matches!(first_key(secret), Err(KeyError::NotPem)) {
        return Err(KeyError::PemAsSecret(algorithm.name()));
    }
    Ok(Box::new(hmac::Key::new(hmac, secret)))
}

pub(crate) fn rejected(algorithm: Algorithm, der: &[u8], error: &dyn fmt::Display) -> KeyError {
    // The object identifier 1.3.101.113 in DER.
    let is_ed448 = der.windows(5).take(16).any(|window| window == [0x06, 0x03, 0x2b, 0x65, 0x71]);
    if algorithm == Algorithm::EdDSA && is_ed448 { KeyError::Ed448 } else { unfit(algorithm, error) }
}

pub(crate) fn unfit(algorithm: Algorithm, error: &dyn fmt::Display) -> KeyError {
    KeyError::Unfit { algorithm: algorithm.name(), wanted: algorithm.wanted_key(), reason: error.to_string() }
}
