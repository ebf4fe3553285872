//! The key that signs: read from PEM or a secret, or generated.

use crate::algorithm::Primitive;
use crate::keys::{hmac_key, rejected};
use crate::pem::{self, PemKey, first_key};
use crate::{Algorithm, KeyError};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaSignatureEncoding};
use aws_lc_rs::{error::Unspecified, hmac};
use std::fmt;
use zeroize::Zeroizing;

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

    /// A new private key of the kind that the algorithm takes, as PKCS#8 in PEM (RFC 5958, RFC 7468). An RSA key has
    /// 2048 bits. HS* take any random bytes, which are not made here.
    pub fn generate_pem(algorithm: Algorithm) -> Result<Zeroizing<String>, KeyError> {
        let random = SystemRandom::new();
        let generated = match algorithm.primitive() {
            Primitive::Hmac(_) => return Err(KeyError::NoKeyPair(algorithm.name())),
            Primitive::Rsa(..) => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair))
                .map(|der| pem::written("PRIVATE KEY", der.as_ref())),
            Primitive::Ecdsa(signing, _) => EcdsaKeyPair::generate_pkcs8(signing, &random)
                .map(|der| pem::written("PRIVATE KEY", der.as_ref())),
            // Version 1, because OpenSSL's programs do not read version 2.
            Primitive::Ed25519(_) => {
                Ed25519KeyPair::generate_pkcs8v1(&random).map(|der| pem::written("PRIVATE KEY", der.as_ref()))
            }
        };
        generated.map_err(|error| KeyError::NotGenerated(error.to_string()))
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

    pub(crate) fn public_bytes(&self) -> &[u8] {
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
