//! The signature algorithms of RFC 7518 and RFC 8037 that Simple JWT takes, and the primitives behind them.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, EcdsaSigningAlgorithm, RsaSignatureEncoding, VerificationAlgorithm};

/// A signature algorithm, named as in a token's `alg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 section 3.1, RFC 8037 and RFC 8812")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    /// The same as `ES512` under the wrong name that `PyJWT` once gave it.
    ES521,
    /// ECDSA on secp256k1.
    ES256K,
    /// Ed25519. Ed448, which goes by the same name, is not supported.
    EdDSA,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 15] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::ES521,
        Self::ES256K,
        Self::EdDSA,
    ];

    /// The algorithm of a name, as Simple JWT's `ALGORITHM` and a token's `alg` give it: case matters, and `none`
    /// is no algorithm.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The name, as in a token's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::ES521 => "ES521",
            Self::ES256K => "ES256K",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Whether signing and verifying use one shared secret.
    #[must_use]
    pub fn is_symmetric(self) -> bool {
        matches!(self.primitive(), Primitive::Hmac(_))
    }

    pub(crate) fn primitive(self) -> Primitive {
        match self {
            Self::HS256 => Primitive::Hmac(hmac::HMAC_SHA256),
            Self::HS384 => Primitive::Hmac(hmac::HMAC_SHA384),
            Self::HS512 => Primitive::Hmac(hmac::HMAC_SHA512),
            Self::RS256 => {
                Primitive::Rsa(&signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256)
            }
            Self::RS384 => {
                Primitive::Rsa(&signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384)
            }
            Self::RS512 => {
                Primitive::Rsa(&signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512)
            }
            Self::PS256 => Primitive::Rsa(&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
            Self::PS384 => Primitive::Rsa(&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
            Self::PS512 => Primitive::Rsa(&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
            Self::ES256 => Primitive::Ecdsa(
                &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                &signature::ECDSA_P256_SHA256_FIXED,
            ),
            Self::ES384 => Primitive::Ecdsa(
                &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                &signature::ECDSA_P384_SHA384_FIXED,
            ),
            Self::ES512 | Self::ES521 => Primitive::Ecdsa(
                &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
                &signature::ECDSA_P521_SHA512_FIXED,
            ),
            Self::ES256K => Primitive::Ecdsa(
                &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING,
                &signature::ECDSA_P256K1_SHA256_FIXED,
            ),
            Self::EdDSA => Primitive::Ed25519(&signature::ED25519),
        }
    }

    /// The kind of key it needs, in words.
    pub(crate) fn wanted_key(self) -> &'static str {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => "a secret",
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => {
                "an RSA key of 2048 to 8192 bits"
            }
            Self::ES256 => "an elliptic curve key on P-256",
            Self::ES384 => "an elliptic curve key on P-384",
            Self::ES512 | Self::ES521 => "an elliptic curve key on P-521",
            Self::ES256K => "an elliptic curve key on secp256k1",
            Self::EdDSA => "an Ed25519 key",
        }
    }
}

/// What signs and what verifies.
pub(crate) enum Primitive {
    Hmac(hmac::Algorithm),
    Rsa(&'static RsaSignatureEncoding, &'static dyn VerificationAlgorithm),
    Ecdsa(&'static EcdsaSigningAlgorithm, &'static dyn VerificationAlgorithm),
    Ed25519(&'static dyn VerificationAlgorithm),
}
