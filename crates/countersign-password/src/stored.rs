//! A stored hash string, parsed; it is either within the limits or refused before any work is done.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::method::{Digest, Method};
use crate::{Algorithm, Limits, Salt};

/// Why a stored string cannot be compared with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It starts with `!`, Django's mark of an account without a password.
    #[error("the account has no usable password")]
    Unusable,
    /// It is empty, or names no algorithm, or one that is unknown or not accepted.
    #[error("the hash names no accepted algorithm")]
    UnknownAlgorithm,
    /// An accepted algorithm, but not a string that this algorithm's hasher can have written.
    #[error("the hash is malformed")]
    Malformed,
    /// Verifying it would take more than the limits allow.
    #[error("verifying the hash would cost more than the limits allow")]
    TooCostly,
}

pub(crate) struct Stored<'text> {
    pub(crate) method: Method,
    /// As the algorithm reads it: text for PBKDF2, scrypt and MD5, decoded for Argon2 and bcrypt.
    pub(crate) salt: Vec<u8>,
    /// Django calls for a new hash because this salt has less than 128 bits.
    pub(crate) weak_salt: bool,
    pub(crate) checksum: &'text str,
}

impl<'text> Stored<'text> {
    pub(crate) fn parse(text: &'text str, accepted: &[Algorithm], limits: &Limits) -> Result<Self, Refusal> {
        let algorithm = identify(text, accepted)?;
        if text.len() > limits.length {
            return Err(Refusal::TooCostly);
        }
        let (_, fields) = text.split_once('$').ok_or(Refusal::Malformed)?;
        match algorithm {
            Algorithm::Pbkdf2Sha256 => Self::pbkdf2(Digest::Sha256, fields, limits),
            Algorithm::Pbkdf2Sha1 => Self::pbkdf2(Digest::Sha1, fields, limits),
            Algorithm::Argon2 => Self::argon2(fields, limits),
            Algorithm::BcryptSha256 => Self::bcrypt(true, fields, limits),
            Algorithm::Bcrypt => Self::bcrypt(false, fields, limits),
            Algorithm::Scrypt => Self::scrypt(fields, limits),
            Algorithm::Md5 => Self::md5(fields),
        }
    }

    fn pbkdf2(digest: Digest, fields: &'text str, limits: &Limits) -> Result<Self, Refusal> {
        let [iterations, salt, checksum] = split(fields)?;
        Self::with_text_salt(Method::pbkdf2(digest, decimal(iterations)?, limits)?, salt, checksum)
    }

    fn scrypt(fields: &'text str, limits: &Limits) -> Result<Self, Refusal> {
        let [n, salt, r, p, checksum] = split(fields)?;
        let method = Method::scrypt(decimal(n)?, decimal(r)?, decimal(p)?, limits)?;
        Self::with_text_salt(method, salt, checksum)
    }

    fn md5(fields: &'text str) -> Result<Self, Refusal> {
        let [salt, checksum] = split(fields)?;
        Self::with_text_salt(Method::Md5, salt, checksum)
    }

    fn with_text_salt(method: Method, salt: &str, checksum: &'text str) -> Result<Self, Refusal> {
        if salt.is_empty() {
            return Err(Refusal::Malformed);
        }
        // Django's scrypt hasher alone does not look at the salt.
        let weak_salt = !matches!(method, Method::Scrypt(_)) && salt.chars().count() < Salt::LENGTH;
        Ok(Self { method, salt: salt.as_bytes().to_vec(), weak_salt, checksum })
    }

    /// `argon2id$v=19$m=102400,t=2,p=8$salt$checksum`; without the version field it is version 16.
    fn argon2(fields: &'text str, limits: &Limits) -> Result<Self, Refusal> {
        let (variant, rest) = fields.split_once('$').ok_or(Refusal::Malformed)?;
        let variant = match variant {
            "argon2id" => argon2::Algorithm::Argon2id,
            "argon2i" => argon2::Algorithm::Argon2i,
            "argon2d" => argon2::Algorithm::Argon2d,
            _ => return Err(Refusal::Malformed),
        };
        let (version, rest) = match rest.strip_prefix("v=") {
            Some(rest) => rest.split_once('$').ok_or(Refusal::Malformed)?,
            None => ("16", rest),
        };
        let version = decimal(version)?.try_into().map_err(|_| Refusal::Malformed)?;
        let [costs, salt, checksum] = split(rest)?;
        let decode = |text| STANDARD_NO_PAD.decode(text).map_err(|_| Refusal::Malformed);
        let (salt, output) = (decode(salt)?, decode(checksum)?);
        if salt.len() < argon2::MIN_SALT_LEN {
            return Err(Refusal::Malformed);
        }
        let method = Method::argon2(variant, version, argon2_costs(costs)?, output.len(), limits)?;
        Ok(Self { method, weak_salt: salt.len() < Salt::LENGTH, salt, checksum })
    }

    /// `$2b$12$`, then 22 characters of salt and 31 of checksum in bcrypt's own base 64.
    fn bcrypt(prehashed: bool, fields: &'text str, limits: &Limits) -> Result<Self, Refusal> {
        let ["", "2a" | "2b" | "2x" | "2y", cost, data] = split(fields)? else {
            return Err(Refusal::Malformed);
        };
        let (2, cost) = (cost.len(), cost.strip_prefix('0').unwrap_or(cost)) else {
            return Err(Refusal::Malformed);
        };
        let method = Method::bcrypt(prehashed, decimal(cost)?, limits)?;
        let (salt, checksum) = data.split_at_checked(22).ok_or(Refusal::Malformed)?;
        let salt = bcrypt::BASE_64.decode(salt).map_err(|_| Refusal::Malformed)?;
        Ok(Self { method, salt, weak_salt: false, checksum })
    }
}

/// The accepted algorithm that a stored string names.
pub(crate) fn identify(text: &str, accepted: &[Algorithm]) -> Result<Algorithm, Refusal> {
    if text.starts_with('!') {
        return Err(Refusal::Unusable);
    }
    // Django takes `md5$$…` for the unsalted MD5 of its early days, which it no longer has.
    let name = text.split('$').next().filter(|_| !text.starts_with("md5$$"));
    name.and_then(Algorithm::from_name)
        .filter(|algorithm| accepted.contains(algorithm))
        .ok_or(Refusal::UnknownAlgorithm)
}

/// Exactly `N` fields; further `$` stay in the last one, where they match no checksum.
fn split<const N: usize>(fields: &str) -> Result<[&str; N], Refusal> {
    fields.splitn(N, '$').collect::<Vec<_>>().try_into().map_err(|_| Refusal::Malformed)
}

/// A number as Django writes it. Python reads `+5`, `05` and `5_0` too, but writes them differently when
/// it compares the strings, so that they never verify.
fn decimal(text: &str) -> Result<u32, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.starts_with('0') && text.len() > 1) {
        return Err(Refusal::Malformed);
    }
    text.parse().map_err(|_| Refusal::TooCostly)
}

/// `m=102400,t=2,p=8`, in this order, as the Argon2 reference decoder wants it.
fn argon2_costs(text: &str) -> Result<[u32; 3], Refusal> {
    let mut fields = text.split(',');
    let mut next = |name| match fields.next().and_then(|field| field.strip_prefix(name)) {
        Some(number) => decimal(number),
        None => Err(Refusal::Malformed),
    };
    let costs = [next("m=")?, next("t=")?, next("p=")?];
    if fields.next().is_some() { Err(Refusal::Malformed) } else { Ok(costs) }
}
