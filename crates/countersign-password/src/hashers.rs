//! Making, verifying and ageing hashes under one policy; deliberately without I/O, clock or randomness.

use std::hint::black_box;

use base64::Engine;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD_NO_PAD};
use subtle::ConstantTimeEq;

use crate::method::Method;
use crate::stored::{self, Refusal, Stored};
use crate::{Algorithm, InvalidPreferred, Limits, Preferred, Salt, Workspace};

/// How new hashes are made and which stored ones are accepted: Django's `PASSWORD_HASHERS`.
#[derive(Clone, Debug)]
pub struct Hashers {
    preferred: Preferred,
    method: Method,
    accepted: Vec<Algorithm>,
    limits: Limits,
}

/// What comparing a password with a stored hash found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password belongs to the hash.
    Correct,
    /// The hash is sound, the password is another one.
    Wrong,
    /// The stored string was not compared; the work of one preferred hash was done instead.
    Refused(Refusal),
}

/// The outcome, and whether the hash is outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the comparison found.
    pub outcome: Outcome,
    /// [`Hashers::needs_update`] of the stored string. Of use with [`Outcome::Correct`]: then, and only
    /// then, the password is known and can be hashed anew.
    pub must_update: bool,
}

impl Verdict {
    /// Whether the password belongs to the hash.
    #[must_use]
    pub fn is_correct(self) -> bool {
        self.outcome == Outcome::Correct
    }
}

impl Hashers {
    /// New hashes are made as `preferred`; its algorithm and those of `also_accepted` are verified.
    ///
    /// # Errors
    /// When the preferred parameters are not defined for their algorithm or exceed `limits`.
    pub fn new(
        preferred: Preferred,
        also_accepted: &[Algorithm],
        limits: Limits,
    ) -> Result<Self, InvalidPreferred> {
        let method = preferred.method(&limits)?;
        let mut accepted = vec![preferred.algorithm()];
        accepted.extend_from_slice(also_accepted);
        Ok(Self { preferred, method, accepted, limits })
    }

    /// The algorithm of a stored string, or why no password will ever be found to belong to it; without any work.
    pub fn recognise(&self, stored: &str) -> Result<Algorithm, Refusal> {
        Stored::parse(stored, &self.accepted, &self.limits).map(|stored| stored.method.algorithm())
    }

    /// A new hash string in Django's encoding, ASCII, at most 128 characters at Django's parameters.
    ///
    /// bcrypt reads the salt's characters as its own base 64 and drops the last four bits.
    #[must_use]
    pub fn make(&self, password: &str, salt: &Salt, workspace: &mut Workspace) -> String {
        let text = salt.as_str();
        let name = self.method.algorithm().name();
        let bcrypt_salt = bcrypt_salt(text);
        let salt = match self.preferred {
            Preferred::BcryptSha256 { .. } => &bcrypt_salt,
            _ => text.as_bytes(),
        };
        let checksum = self.compute(&self.method, password, salt, workspace);
        match self.preferred {
            Preferred::Argon2id { memory_kib: m, iterations: t, parallelism: p } => {
                let salt = STANDARD_NO_PAD.encode(salt);
                format!("{name}$argon2id$v=19$m={m},t={t},p={p}${salt}${checksum}")
            }
            Preferred::Pbkdf2Sha256 { iterations } | Preferred::Pbkdf2Sha1 { iterations } => {
                format!("{name}${iterations}${text}${checksum}")
            }
            Preferred::Scrypt { work_factor: n, block_size: r, parallelism: p } => {
                format!("{name}${n}${text}${r}${p}${checksum}")
            }
            Preferred::BcryptSha256 { cost } => {
                format!("{name}$$2b${cost:02}${}{checksum}", bcrypt::BASE_64.encode(salt))
            }
        }
    }

    /// Compares a password with a stored string, as Django's `verify_password`.
    ///
    /// A refused string takes the work of one preferred hash. A wrong password against a hash of the
    /// preferred algorithm with less work than preferred takes the missing work too (PBKDF2, bcrypt).
    #[must_use]
    pub fn verify(&self, password: &str, stored: &str, workspace: &mut Workspace) -> Verdict {
        let outcome = match Stored::parse(stored, &self.accepted, &self.limits) {
            Ok(hash) => self.compare(password, &hash, workspace),
            Err(refusal) => {
                self.burn(password, workspace);
                Outcome::Refused(refusal)
            }
        };
        Verdict { outcome, must_update: self.needs_update(stored) }
    }

    /// Whether a stored string of an accepted algorithm is anything but what [`Self::make`] writes:
    /// another algorithm, other parameters, or a salt of less than 128 bits. False for unusable
    /// and foreign strings, which no login can replace.
    #[must_use]
    pub fn needs_update(&self, stored: &str) -> bool {
        match Stored::parse(stored, &self.accepted, &self.limits) {
            Ok(hash) => hash.method != self.method || hash.weak_salt,
            Err(Refusal::Unusable | Refusal::UnknownAlgorithm) => false,
            Err(Refusal::Malformed | Refusal::TooCostly) => true,
        }
    }

    /// The algorithm of a stored string, without looking at its other fields.
    ///
    /// # Errors
    /// [`Refusal::Unusable`] or [`Refusal::UnknownAlgorithm`].
    pub fn identify(&self, stored: &str) -> Result<Algorithm, Refusal> {
        stored::identify(stored, &self.accepted)
    }

    /// Does the work of one preferred hash and forgets the result: the answer for an unknown user.
    pub fn burn(&self, password: &str, workspace: &mut Workspace) {
        // 16 bytes suit every algorithm.
        black_box(self.compute(&self.method, password, &[0; 16], workspace));
    }

    fn compare(&self, password: &str, stored: &Stored, workspace: &mut Workspace) -> Outcome {
        let method = &stored.method;
        let checksum = self.compute(method, password, &stored.salt, workspace);
        let equal = bool::from(checksum.as_bytes().ct_eq(stored.checksum.as_bytes()));
        if equal && method.reads_all_of(password) {
            return Outcome::Correct;
        }
        if let Some((missing, times)) = method.shortfall(&self.method) {
            for _ in 0..times {
                black_box(self.compute(&missing, password, &stored.salt, workspace));
            }
        }
        Outcome::Wrong
    }

    fn compute(&self, method: &Method, password: &str, salt: &[u8], workspace: &mut Workspace) -> String {
        let checksum = method.checksum(password, salt, workspace);
        workspace.shrink_to(self.method.blocks());
        checksum
    }
}

/// 22 characters hold 132 bits, of which bcrypt takes 128.
fn bcrypt_salt(text: &str) -> Vec<u8> {
    GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true))
        .decode(text)
        .expect("letters and digits belong to bcrypt's alphabet")
}
