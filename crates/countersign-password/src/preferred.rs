//! How new hashes are made.

use crate::method::{Digest, Method};
use crate::stored::Refusal;
use crate::{Algorithm, Limits};

/// The algorithm and parameters of new hashes, Django's first entry of `PASSWORD_HASHERS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preferred {
    /// Argon2id, version 19, 32 bytes of output.
    Argon2id {
        /// Memory in KiB, at least 8 × `parallelism`.
        memory_kib: u32,
        /// Passes over the memory, at least 1.
        iterations: u32,
        /// Lanes, at least 1. More lanes do not make this implementation faster.
        parallelism: u32,
    },
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2Sha256 {
        /// Iterations, at least 1.
        iterations: u32,
    },
    /// PBKDF2 with HMAC-SHA-1.
    Pbkdf2Sha1 {
        /// Iterations, at least 1.
        iterations: u32,
    },
    /// scrypt with 64 bytes of output.
    Scrypt {
        /// Cost `n`, a power of two, at least 2.
        work_factor: u32,
        /// Block size `r`, at least 1.
        block_size: u32,
        /// Parallelism `p`, at least 1.
        parallelism: u32,
    },
    /// bcrypt of the hex SHA-256.
    BcryptSha256 {
        /// Logarithmic cost, 4 to 31.
        cost: u32,
    },
}

/// The preferred parameters are outside what the algorithm or the [`Limits`] allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPreferred {
    /// The algorithm is not defined for these parameters.
    #[error("the algorithm does not allow these parameters for new hashes")]
    Undefined,
    /// A hash made so could not be verified again.
    #[error("new hashes would cost more than the limits for stored hashes allow")]
    OverLimits,
}

impl Preferred {
    /// OWASP's recommendation for Argon2id: 19 MiB, two passes, one lane.
    pub const OWASP_ARGON2ID: Self = Self::Argon2id { memory_kib: 19_456, iterations: 2, parallelism: 1 };
    /// Django 5.2's `Argon2PasswordHasher`.
    pub const DJANGO_ARGON2: Self = Self::Argon2id { memory_kib: 102_400, iterations: 2, parallelism: 8 };
    /// Django 5.2's `PBKDF2PasswordHasher`, its default.
    pub const DJANGO_PBKDF2: Self = Self::Pbkdf2Sha256 { iterations: 1_000_000 };
    /// Django 5.2's `PBKDF2SHA1PasswordHasher`.
    pub const DJANGO_PBKDF2_SHA1: Self = Self::Pbkdf2Sha1 { iterations: 1_000_000 };
    /// Django 5.2's `ScryptPasswordHasher`.
    pub const DJANGO_SCRYPT: Self = Self::Scrypt { work_factor: 16_384, block_size: 8, parallelism: 5 };
    /// Django 5.2's `BCryptSHA256PasswordHasher`.
    pub const DJANGO_BCRYPT_SHA256: Self = Self::BcryptSha256 { cost: 12 };

    /// The algorithm of new hashes.
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Argon2id { .. } => Algorithm::Argon2,
            Self::Pbkdf2Sha256 { .. } => Algorithm::Pbkdf2Sha256,
            Self::Pbkdf2Sha1 { .. } => Algorithm::Pbkdf2Sha1,
            Self::Scrypt { .. } => Algorithm::Scrypt,
            Self::BcryptSha256 { .. } => Algorithm::BcryptSha256,
        }
    }

    pub(crate) fn method(self, limits: &Limits) -> Result<Method, InvalidPreferred> {
        let method = match self {
            Self::Argon2id { memory_kib, iterations, parallelism } => {
                let variant = argon2::Algorithm::Argon2id;
                let version = argon2::Version::V0x13;
                Method::argon2(variant, version, [memory_kib, iterations, parallelism], 32, limits)
            }
            Self::Pbkdf2Sha256 { iterations } => Method::pbkdf2(Digest::Sha256, iterations, limits),
            Self::Pbkdf2Sha1 { iterations } => Method::pbkdf2(Digest::Sha1, iterations, limits),
            Self::Scrypt { work_factor, block_size, parallelism } => {
                Method::scrypt(work_factor, block_size, parallelism, limits)
            }
            Self::BcryptSha256 { cost } => Method::bcrypt(true, cost, limits),
        };
        method.map_err(|refusal| match refusal {
            Refusal::TooCostly => InvalidPreferred::OverLimits,
            _ => InvalidPreferred::Undefined,
        })
    }
}
