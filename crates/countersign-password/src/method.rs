//! A hashing algorithm with checked parameters: what it costs, what it computes.

use argon2::Argon2;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::{Digest as _, Md5};
use pbkdf2::pbkdf2_hmac_array;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::stored::Refusal;
use crate::{Algorithm, Limits, Workspace};

/// Everything that decides a checksum except password and salt. The constructors let through only what
/// the algorithm defines and the limits allow, so that computing cannot fail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Method {
    Pbkdf2 { digest: Digest, iterations: u32 },
    Argon2 { variant: argon2::Algorithm, version: argon2::Version, params: argon2::Params },
    Scrypt(scrypt::Params),
    Bcrypt { prehashed: bool, cost: u32 },
    Md5,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Digest {
    Sha256,
    Sha1,
}

/// bcrypt reads no more of a password.
const BCRYPT_PASSWORD_BYTES: usize = 72;

impl Method {
    pub(crate) fn pbkdf2(digest: Digest, iterations: u32, limits: &Limits) -> Result<Self, Refusal> {
        match iterations {
            // Django computes its default count for a stored 0 and then finds the strings unequal.
            0 => Err(Refusal::Malformed),
            _ if iterations > limits.pbkdf2_iterations => Err(Refusal::TooCostly),
            _ => Ok(Self::Pbkdf2 { digest, iterations }),
        }
    }

    /// `output_length` in bytes.
    pub(crate) fn argon2(
        variant: argon2::Algorithm,
        version: argon2::Version,
        [memory_kib, iterations, parallelism]: [u32; 3],
        output_length: usize,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let work_kib = u64::from(memory_kib) * u64::from(iterations);
        if memory_kib > limits.argon2_memory_kib || work_kib > limits.argon2_work_kib {
            return Err(Refusal::TooCostly);
        }
        let params = argon2::Params::new(memory_kib, iterations, parallelism, Some(output_length))
            .map_err(|_| Refusal::Malformed)?;
        Ok(Self::Argon2 { variant, version, params })
    }

    pub(crate) fn scrypt(n: u32, r: u32, p: u32, limits: &Limits) -> Result<Self, Refusal> {
        if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
            return Err(Refusal::Malformed);
        }
        if scrypt_memory_kib(n, r, p) > limits.scrypt_memory_kib
            || scrypt_work_kib(n, r, p) > limits.scrypt_work_kib
        {
            return Err(Refusal::TooCostly);
        }
        let log_n = u8::try_from(n.ilog2()).map_err(|_| Refusal::Malformed)?;
        scrypt::Params::new(log_n, r, p).map(Self::Scrypt).map_err(|_| Refusal::Malformed)
    }

    pub(crate) fn bcrypt(prehashed: bool, cost: u32, limits: &Limits) -> Result<Self, Refusal> {
        match cost {
            4..=31 if cost > limits.bcrypt_cost => Err(Refusal::TooCostly),
            4..=31 => Ok(Self::Bcrypt { prehashed, cost }),
            _ => Err(Refusal::Malformed),
        }
    }

    /// Whether the constructors let it through under these limits.
    pub(crate) fn is_within(&self, limits: &Limits) -> bool {
        let [work, memory] = [self.work(), self.memory_kib()];
        match self {
            Self::Pbkdf2 { iterations, .. } => *iterations <= limits.pbkdf2_iterations,
            Self::Argon2 { params, .. } => {
                params.m_cost() <= limits.argon2_memory_kib && work <= limits.argon2_work_kib
            }
            Self::Scrypt(_) => memory <= limits.scrypt_memory_kib && work <= limits.scrypt_work_kib,
            Self::Bcrypt { cost, .. } => *cost <= limits.bcrypt_cost,
            Self::Md5 => true,
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Pbkdf2 { digest: Digest::Sha256, .. } => Algorithm::Pbkdf2Sha256,
            Self::Pbkdf2 { digest: Digest::Sha1, .. } => Algorithm::Pbkdf2Sha1,
            Self::Argon2 { .. } => Algorithm::Argon2,
            Self::Scrypt(_) => Algorithm::Scrypt,
            Self::Bcrypt { prehashed: true, .. } => Algorithm::BcryptSha256,
            Self::Bcrypt { prehashed: false, .. } => Algorithm::Bcrypt,
            Self::Md5 => Algorithm::Md5,
        }
    }

    /// Work of one checksum, in the algorithm's own unit (see [`Workspace::work`]).
    pub(crate) fn work(&self) -> u64 {
        match self {
            Self::Pbkdf2 { iterations, .. } => u64::from(*iterations),
            Self::Argon2 { params, .. } => u64::from(params.m_cost()) * u64::from(params.t_cost()),
            Self::Scrypt(params) => scrypt_work_kib(1 << params.log_n(), params.r(), params.p()),
            Self::Bcrypt { cost, .. } => 1 << cost,
            Self::Md5 => 1,
        }
    }

    /// Memory blocks of 1 KiB that the workspace has to hold.
    pub(crate) fn blocks(&self) -> usize {
        match self {
            Self::Argon2 { params, .. } => params.block_count(),
            _ => 0,
        }
    }

    /// Whether the whole password counts; plain bcrypt refuses what it would have to cut off.
    pub(crate) fn reads_all_of(&self, password: &str) -> bool {
        !matches!(self, Self::Bcrypt { prehashed: false, .. }) || password.len() <= BCRYPT_PASSWORD_BYTES
    }

    /// Memory that one checksum takes, in KiB, wherever it is kept.
    pub(crate) fn memory_kib(&self) -> u64 {
        match self {
            Self::Scrypt(params) => scrypt_memory_kib(1 << params.log_n(), params.r(), params.p()),
            _ => self.blocks() as u64,
        }
    }

    /// What to run, and how often, after a checksum that took less work than `target`, another method of the same
    /// algorithm. PBKDF2 and bcrypt come to the same work exactly, as in Django; Argon2 and scrypt to the next whole pass,
    /// with no more memory than `target` has. More work than `target` stays as it is.
    pub(crate) fn shortfall(&self, target: &Self) -> Option<(Self, u32)> {
        let missing = target.work().checked_sub(self.work()).filter(|missing| *missing > 0)?;
        match (self, target) {
            (Self::Pbkdf2 { .. }, Self::Pbkdf2 { digest, .. }) => {
                Some((Self::Pbkdf2 { digest: *digest, iterations: missing.try_into().ok()? }, 1))
            }
            (Self::Bcrypt { .. }, Self::Bcrypt { .. }) => {
                Some((self.clone(), (missing / self.work()).try_into().ok()?))
            }
            (Self::Argon2 { .. }, Self::Argon2 { variant, version, params }) => {
                let passes = params.t_cost();
                let memory_kib = missing.div_ceil(u64::from(passes)).try_into().ok()?;
                let params = argon2::Params::new(memory_kib, passes, 1, None).ok()?;
                Some((Self::Argon2 { variant: *variant, version: *version, params }, 1))
            }
            (Self::Scrypt(_), Self::Scrypt(params)) => {
                let one_lane = scrypt::Params::new(params.log_n(), params.r(), 1).map(Self::Scrypt).ok()?;
                let lanes = missing.div_ceil(one_lane.work().max(1));
                Some((one_lane, lanes.try_into().ok()?))
            }
            _ => None,
        }
    }

    /// The last field of a hash string. `salt` is 16 bytes for bcrypt and at least 8 for Argon2.
    pub(crate) fn checksum(&self, password: &str, salt: &[u8], workspace: &mut Workspace) -> String {
        workspace.count(self.work());
        let password = password.as_bytes();
        match self {
            Self::Pbkdf2 { digest: Digest::Sha256, iterations } => {
                STANDARD.encode(pbkdf2_hmac_array::<Sha256, 32>(password, salt, *iterations))
            }
            Self::Pbkdf2 { digest: Digest::Sha1, iterations } => {
                STANDARD.encode(pbkdf2_hmac_array::<Sha1, 20>(password, salt, *iterations))
            }
            Self::Argon2 { variant, version, params } => {
                let mut output = vec![0; params.output_len().unwrap_or(argon2::Params::DEFAULT_OUTPUT_LEN)];
                Argon2::new(*variant, *version, params.clone())
                    .hash_password_into_with_memory(
                        password,
                        salt,
                        &mut output,
                        workspace.blocks(params.block_count()),
                    )
                    .expect("salt, output and memory have the lengths that were checked");
                STANDARD_NO_PAD.encode(output)
            }
            Self::Scrypt(params) => {
                let mut output = [0; 64];
                scrypt::scrypt(password, salt, params, &mut output).expect("64 bytes are a valid length");
                STANDARD.encode(output)
            }
            Self::Bcrypt { prehashed: true, cost } => {
                let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password)));
                bcrypt_checksum(Zeroizing::new(hex(&*digest)).as_bytes(), *cost, salt)
            }
            Self::Bcrypt { prehashed: false, cost } => bcrypt_checksum(password, *cost, salt),
            Self::Md5 => hex(&Md5::new().chain_update(salt).chain_update(password).finalize()),
        }
    }
}

fn bcrypt_checksum(password: &[u8], cost: u32, salt: &[u8]) -> String {
    let salt = salt.try_into().expect("bcrypt salts are decoded to 16 bytes");
    let parts = bcrypt::hash_with_salt(password, cost, salt).expect("the cost was checked");
    // `$2b$12$`, 22 characters of salt, 31 of checksum.
    parts.to_string().split_off(29)
}

/// The whole of scrypt's memory, in KiB: 128·r·(n + p) / 1024.
fn scrypt_memory_kib(n: u32, r: u32, p: u32) -> u64 {
    (u64::from(n) + u64::from(p)).saturating_mul(u64::from(r)) / 8
}

/// Bytes that scrypt writes and reads back once, in KiB: 128·n·r·p / 1024.
fn scrypt_work_kib(n: u32, r: u32, p: u32) -> u64 {
    (u64::from(n) * u64::from(r)).saturating_mul(u64::from(p)) / 8
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("a nibble is below 16");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
