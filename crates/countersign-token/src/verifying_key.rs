//! The key that verifies, and the name by which tokens point to it.

use crate::algorithm::Primitive;
use crate::jwk::PublicJwk;
use crate::keys::{hmac_key, rejected, unfit};
use crate::pem::{PemKey, first_key};
use crate::{Algorithm, KeyError, SigningKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;
use std::fmt;

/// A key that verifies the tokens of one algorithm. `Debug` does not show it, as it may be a shared secret.
pub struct VerifyingKey {
    algorithm: Algorithm,
    kid: Option<String>,
    key: Public,
}

enum Public {
    Hmac(Box<hmac::Key>),
    Key(ParsedPublicKey, PublicJwk),
}

impl VerifyingKey {
    /// From the bytes of a secret (HS*), or the PEM text of a public key (SPKI, or PKCS#1 for RSA) or of the
    /// private key it belongs to.
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        if let Primitive::Hmac(hmac) = algorithm.primitive() {
            let key = Public::Hmac(hmac_key(algorithm, hmac, key)?);
            return Ok(Self { algorithm, kid: None, key });
        }
        let PemKey { is_private, der } = first_key(key)?;
        if is_private {
            return Self::from_public_bytes(algorithm, SigningKey::new(algorithm, key)?.public_bytes());
        }
        Self::from_public_bytes(algorithm, &der)
    }

    /// From the bytes of a public key in any form the crypto library reads: SPKI, PKCS#1, or the point of a curve.
    pub(crate) fn from_public_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let verification = match algorithm.primitive() {
            Primitive::Hmac(_) => return Err(KeyError::NoKeyPair(algorithm.name())),
            Primitive::Rsa(_, verification)
            | Primitive::Ecdsa(_, verification)
            | Primitive::Ed25519(verification) => verification,
        };
        let parsed =
            ParsedPublicKey::new(verification, bytes).map_err(|error| rejected(algorithm, bytes, &error))?;
        let jwk = parsed.as_der().ok().and_then(|spki| PublicJwk::from_spki(algorithm, spki.as_ref()));
        let jwk = jwk.ok_or_else(|| unfit(algorithm, &"its public part is of another kind or size"))?;
        Ok(Self { algorithm, kid: None, key: Public::Key(parsed, jwk) })
    }

    /// The same key, named by its thumbprint (RFC 7638), so that a token's `kid` can point to it. A secret stays
    /// unnamed: its thumbprint would be a digest to guess it by.
    #[must_use]
    pub fn named(self) -> Self {
        let kid = self.jwk().map(PublicJwk::thumbprint);
        Self { kid, ..self }
    }

    /// The same key under a name that others gave it.
    pub(crate) fn with_kid(self, kid: Option<&str>) -> Self {
        Self { kid: kid.map(str::to_owned), ..self }
    }

    /// The key's name: a token with another `kid` (RFC 7515 section 4.1.4) is not tried with it. An unnamed key is
    /// tried whatever the `kid`.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm it verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its public members; a secret has none.
    pub(crate) fn jwk(&self) -> Option<&PublicJwk> {
        match &self.key {
            Public::Hmac(_) => None,
            Public::Key(_, jwk) => Some(jwk),
        }
    }

    /// Whether this is the message's signature; HMACs are compared in constant time.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Public::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Public::Key(key, _) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifyingKey({})", self.algorithm.name())
    }
}
