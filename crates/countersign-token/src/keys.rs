//! Keys, parsed once: the one that signs and the one that verifies.

use crate::Algorithm;
use crate::algorithm::Primitive;
use crate::pem::{PemKey, first_key};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaKeyPair, RsaSignatureEncoding,
};
use aws_lc_rs::{error::Unspecified, hmac};
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
}

/// A signing key and the verifying key that belongs to it.
#[derive(Debug)]
pub struct Keys {
    pub(crate) signing: SigningKey,
    pub(crate) verifying: VerifyingKey,
}

impl Keys {
    /// Both keys, from Simple JWT's settings `ALGORITHM`, `SIGNING_KEY` and `VERIFYING_KEY`.
    ///
    /// HS*: the secret, of any length; the verifying key is ignored. Others: PEM. An empty verifying key is derived
    /// from the signing key. A signature is made and verified to prove the pair.
    pub fn new(algorithm: Algorithm, signing_key: &[u8], verifying_key: &[u8]) -> Result<Self, KeyError> {
        let signing = SigningKey::new(algorithm, signing_key)?;
        let one_key = algorithm.is_symmetric() || verifying_key.is_empty();
        let verifying = VerifyingKey::new(algorithm, if one_key { signing_key } else { verifying_key })?;
        let proof = signing.try_sign(b"proof").map_err(|error| unfit(algorithm, &error))?;
        if verifying.verifies(b"proof", &proof) {
            Ok(Self { signing, verifying })
        } else {
            Err(KeyError::NotAPair)
        }
    }
}

/// A key that signs. Its secret is wiped from memory when dropped, and `Debug` does not show it.
pub struct SigningKey {
    algorithm: Algorithm,
    secret: Secret,
}

enum Secret {
    Hmac(Box<hmac::Key>),
    Rsa(RsaKeyPair, &'static RsaSignatureEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// From the bytes of a secret (HS*), or the PEM text of a private key: PKCS#8, PKCS#1 (RSA) or SEC1 (EC).
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        if let Primitive::Hmac(hmac) = algorithm.primitive() {
            return Ok(Self { algorithm, secret: Secret::Hmac(hmac_key(algorithm, hmac, key)?) });
        }
        let PemKey { is_private: true, der } = first_key(key)? else {
            return Err(KeyError::PublicForSigning);
        };
        Ok(Self { algorithm, secret: private_key(algorithm, &der)? })
    }

    /// The algorithm it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The signature as it stands in a token: ES* is `r || s` (RFC 7518 section 3.4).
    pub(crate) fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Secret::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map(|()| signature)
            }
            Secret::Ecdsa(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
            Secret::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
        }
    }

    fn public_bytes(&self) -> &[u8] {
        match &self.secret {
            Secret::Hmac(_) => &[],
            Secret::Rsa(pair, _) => pair.public_key().as_ref(),
            Secret::Ecdsa(pair) => pair.public_key().as_ref(),
            Secret::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({})", self.algorithm.name())
    }
}

/// A key that verifies. `Debug` does not show it, as it may be a shared secret.
pub struct VerifyingKey {
    algorithm: Algorithm,
    key: Public,
}

enum Public {
    Hmac(Box<hmac::Key>),
    Key(ParsedPublicKey),
}

impl VerifyingKey {
    /// From the bytes of a secret (HS*), or the PEM text of a public key (SPKI, or PKCS#1 for RSA) or of the
    /// private key it belongs to.
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        let verification = match algorithm.primitive() {
            Primitive::Hmac(hmac) => {
                return Ok(Self { algorithm, key: Public::Hmac(hmac_key(algorithm, hmac, key)?) });
            }
            Primitive::Rsa(_, verification)
            | Primitive::Ecdsa(_, verification)
            | Primitive::Ed25519(verification) => verification,
        };
        let PemKey { is_private, der } = first_key(key)?;
        let parsed = if is_private {
            ParsedPublicKey::new(verification, SigningKey::new(algorithm, key)?.public_bytes())
        } else {
            ParsedPublicKey::new(verification, &*der)
        };
        let key = parsed.map_err(|error| rejected(algorithm, &der, &error))?;
        Ok(Self { algorithm, key: Public::Key(key) })
    }

    /// The algorithm it verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this is the message's signature; HMACs are compared in constant time.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Public::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Public::Key(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifyingKey({})", self.algorithm.name())
    }
}

fn hmac_key(algorithm: Algorithm, hmac: hmac::Algorithm, secret: &[u8]) -> Result<Box<hmac::Key>, KeyError> {
    if secret.is_empty() {
        return Err(KeyError::EmptySecret);
    }
    if !matches!(first_key(secret), Err(KeyError::NotPem)) {
        return Err(KeyError::PemAsSecret(algorithm.name()));
    }
    Ok(Box::new(hmac::Key::new(hmac, secret)))
}

fn private_key(algorithm: Algorithm, der: &[u8]) -> Result<Secret, KeyError> {
    let secret = match algorithm.primitive() {
        Primitive::Hmac(hmac) => return hmac_key(algorithm, hmac, der).map(Secret::Hmac),
        Primitive::Rsa(encoding, _) => RsaKeyPair::from_pkcs8(der)
            .or_else(|_| RsaKeyPair::from_der(der))
            .map(|pair| Secret::Rsa(pair, encoding)),
        Primitive::Ecdsa(signing, _) => EcdsaKeyPair::from_private_key_der(signing, der).map(Secret::Ecdsa),
        Primitive::Ed25519(_) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Secret::Ed25519),
    };
    secret.map_err(|error| rejected(algorithm, der, &error))
}

fn rejected(algorithm: Algorithm, der: &[u8], error: &dyn fmt::Display) -> KeyError {
    // The object identifier 1.3.101.113 in DER.
    let is_ed448 = der.windows(5).take(16).any(|window| window == [0x06, 0x03, 0x2b, 0x65, 0x71]);
    if algorithm == Algorithm::EdDSA && is_ed448 { KeyError::Ed448 } else { unfit(algorithm, error) }
}

fn unfit(algorithm: Algorithm, error: &dyn fmt::Display) -> KeyError {
    KeyError::Unfit { algorithm: algorithm.name(), wanted: algorithm.wanted_key(), reason: error.to_string() }
}
