//! The compact form of RFC 7515: three base64url segments, and what the header may say.

use crate::Algorithm;
use crate::json::{Object, Value, parse_bytes};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// The segments of a token.
pub(crate) struct Compact<'a> {
    /// Header and payload with the dot between them: what is signed.
    pub(crate) signed: &'a str,
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits at the first and the last dot; further dots make the payload undecodable.
    pub(crate) fn split(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        Some(Self { signed, header, payload, signature })
    }
}

/// The header of the tokens we make, encoded.
pub(crate) fn own_header(algorithm: Algorithm) -> String {
    encode(format!(r#"{{"alg":"{}","typ":"JWT"}}"#, algorithm.name()).as_bytes())
}

/// Base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Base64url in its canonical form (unused bits zero), with the padding or part of it.
pub(crate) fn decode(segment: &str) -> Option<Vec<u8>> {
    let unpadded = segment.trim_end_matches('=');
    if segment.len() > unpadded.len().next_multiple_of(4) {
        return None;
    }
    BASE64_URL_SAFE_NO_PAD.decode(unpadded).ok()
}

/// Decodes a segment that must be a JSON object. Like Python's `json.loads` of bytes: UTF-8, 16 or 32, with or
/// without byte order mark.
pub(crate) fn decode_object(segment: &str) -> Option<Object> {
    match parse_bytes(&decode(segment)?)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Whether a header names this algorithm, has only string `kid` and asks for nothing that is not understood
/// (RFC 7515 section 4.1.11, RFC 7797).
pub(crate) fn header_fits(header: &Object, algorithm: Algorithm) -> bool {
    header.get("alg").and_then(Value::as_str) == Some(algorithm.name())
        && header.get("kid").is_none_or(Value::is_string)
        && header.get("b64") != Some(&Value::Bool(false))
        && header.get("crit").is_none_or(|critical| only_b64_is_critical(critical, header))
}

fn only_b64_is_critical(critical: &Value, header: &Object) -> bool {
    match critical {
        Value::Array(names) if !names.is_empty() => {
            names.iter().all(|name| name.as_str() == Some("b64")) && header.contains_key("b64")
        }
        _ => false,
    }
}
