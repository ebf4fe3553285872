//! Proofs of what was handed out and comes back, for one purpose: made by `SECRET_KEY`, and good by its former values too.

use std::fmt::Write;

use countersign_token::Mac;

use crate::ConfiguredKeys;

/// Makes and checks proofs: codes in hexadecimal digits.
pub(crate) struct Proofs {
    current: Mac,
    former: Vec<Mac>,
}

impl Proofs {
    pub(crate) fn of(keys: &ConfiguredKeys, purpose: &[u8]) -> Self {
        Self { current: keys.mac(purpose), former: keys.former_macs(purpose) }
    }

    /// The proof of these parts.
    pub(crate) fn make(&self, parts: &[&[u8]]) -> String {
        to_hex(&self.current.of(parts))
    }

    /// Whether this is a proof of these parts; how long that takes does not tell how much of it is right.
    pub(crate) fn is_of(&self, parts: &[&[u8]], proof: &str) -> bool {
        let Some(code) = from_hex(proof) else { return false };
        let is_by = |mac: &Mac| mac.is_of(parts, &code);
        is_by(&self.current) || self.former.iter().any(is_by)
    }
}

/// These bytes in hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // a string takes any text
    }
    text
}

/// The bytes that these digits stand for.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    Some(digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect())
}
