//! Making, verifying and ageing hashes under one policy; deliberately without I/O, clock or randomness.

use std::hint::black_box;

use base64::Engine;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD_NO_PAD};
use subtle::ConstantTimeEq;

use crate::common;
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
    /// The work of a refusal: of each algorithm in common use the costliest method, the preferred one's first.
    common: Vec<Method>,
}

/// What comparing a password with a stored hash found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password belongs to the hash.
    Correct,
    /// The hash is sound, the password is another one.
    Wrong,
    /// The stored string was not compared; the same work was done on nothing.
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
        let common = vec![method.clone()];
        Ok(Self { preferred, method, accepted, limits, common })
    }

    /// The same for a deployment whose stored hashes are like `sample`: what is common among them is from now on part of
    /// the work of every refusal, so that its time does not tell how an account's password is hashed, or that there is
    /// none. One hash in a hundred makes a method common, unless it costs
    /// more than twice Django's default or takes more than `memory_kib` with the others.
    #[must_use]
    pub fn knowing<'a>(&self, sample: impl IntoIterator<Item = &'a str>, memory_kib: u64) -> Self {
        let stored =
            sample.into_iter().filter_map(|text| Stored::parse(text, &self.accepted, &self.limits).ok());
        let common = common::costliest(&self.method, stored.map(|stored| stored.method), memory_kib);
        Self { common, ..self.clone() }
    }

    /// The same, but stored hashes that take more memory than this are too costly.
    #[must_use]
    pub fn within(mut self, memory_kib: u64) -> Self {
        let argon2 = u32::try_from(memory_kib).unwrap_or(u32::MAX);
        self.limits.argon2_memory_kib = self.limits.argon2_memory_kib.min(argon2);
        self.limits.scrypt_memory_kib = self.limits.scrypt_memory_kib.min(memory_kib);
        self
    }

    /// Memory in KiB that a new hash and a refusal take, and at most as much more as `stored` asks for.
    #[must_use]
    pub fn memory_kib(&self, stored: Option<&str>) -> u64 {
        let stored = stored.and_then(|text| Stored::parse(text, &self.accepted, &self.limits).ok());
        let all = [&self.common[..], std::slice::from_ref(&self.method)].concat();
        common::held_kib(&all, stored.as_ref().map(|stored| &stored.method))
    }

    /// The most memory in KiB that a stored hash may ask for.
    #[must_use]
    pub fn max_memory_kib(&self) -> u64 {
        u64::from(self.limits.argon2_memory_kib).max(self.limits.scrypt_memory_kib)
    }

    /// What a refusal computes, for people: algorithm and work, in the units of [`Workspace::work`].
    pub fn work_of_a_refusal(&self) -> impl Iterator<Item = (Algorithm, u64)> {
        self.common.iter().map(|method| (method.algorithm(), method.work()))
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
    /// What is not [`Outcome::Correct`] takes the same work whatever the string is: that of [`Self::burn`], of which the
    /// comparison was a part. Only a hash that is costlier than the common ones of its algorithm, or of an algorithm that
    /// is not common, takes more.
    #[must_use]
    pub fn verify(&self, password: &str, stored: &str, workspace: &mut Workspace) -> Verdict {
        let outcome = match Stored::parse(stored, &self.accepted, &self.limits) {
            Ok(hash) if self.is_correct(password, &hash, workspace) => Outcome::Correct,
            Ok(hash) => {
                self.complete(Some(&hash.method), password, workspace);
                Outcome::Wrong
            }
            Err(refusal) => {
                self.burn(password, workspace);
                Outcome::Refused(refusal)
            }
        };
        Verdict { outcome, must_update: self.needs_update(stored) }
    }

    /// [`Self::verify`] for somebody who is refused even with the right password: that takes the work of a wrong one.
    #[must_use]
    pub fn verify_in_vain(&self, password: &str, stored: &str, workspace: &mut Workspace) -> Verdict {
        let verdict = self.verify(password, stored, workspace);
        if let (true, Ok(hash)) = (verdict.is_correct(), Stored::parse(stored, &self.accepted, &self.limits))
        {
            self.complete(Some(&hash.method), password, workspace);
        }
        verdict
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

    /// Does the work of a refusal and forgets the result: the answer for an unknown user.
    pub fn burn(&self, password: &str, workspace: &mut Workspace) {
        self.complete(None, password, workspace);
    }

    fn is_correct(&self, password: &str, stored: &Stored, workspace: &mut Workspace) -> bool {
        let checksum = self.compute(&stored.method, password, &stored.salt, workspace);
        let equal = bool::from(checksum.as_bytes().ct_eq(stored.checksum.as_bytes()));
        equal && stored.method.reads_all_of(password)
    }

    /// Does what the work of a refusal still lacks after a checksum by `done`.
    fn complete(&self, done: Option<&Method>, password: &str, workspace: &mut Workspace) {
        for target in &self.common {
            let (missing, times) = match done.filter(|done| done.algorithm() == target.algorithm()) {
                None => (target.clone(), 1),
                Some(done) => match done.shortfall(target) {
                    Some(shortfall) => shortfall,
                    None => continue,
                },
            };
            for _ in 0..times {
                // 16 bytes of salt suit every algorithm.
                black_box(self.compute(&missing, password, &[0; 16], workspace));
            }
        }
    }

    fn compute(&self, method: &Method, password: &str, salt: &[u8], workspace: &mut Workspace) -> String {
        let checksum = method.checksum(password, salt, workspace);
        let kept = self.common.iter().chain([&self.method]).map(Method::blocks).max();
        workspace.shrink_to(kept.unwrap_or_default());
        checksum
    }
}

/// 22 characters hold 132 bits, of which bcrypt takes 128.
fn bcrypt_salt(text: &str) -> Vec<u8> {
    GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true))
        .decode(text)
        .expect("letters and digits belong to bcrypt's alphabet")
}
