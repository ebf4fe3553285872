//! The compact form of RFC 7515: three base64url segments, and what the header may say.

use crate::json::{Object, Value, object_to_compact, parse_bytes};
use crate::{Algorithm, VerifyingKey};
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

/// What a token's header says of the key that signed it.
#[derive(Debug)]
pub(crate) struct Header {
    algorithm: Algorithm,
    /// A string, which may hold lone surrogates.
    kid: Option<Value>,
}

impl Header {
    /// The header of the tokens we make with a key.
    pub(crate) fn of(key: &VerifyingKey) -> Self {
        Self { algorithm: key.algorithm(), kid: key.kid().map(Value::from) }
    }

    /// Reads a header that names an algorithm, has only string `kid` and asks for nothing that is not understood
    /// (RFC 7515 section 4.1.11, RFC 7797).
    pub(crate) fn read(segment: &str) -> Option<Self> {
        let header = decode_object(segment)?;
        let is_understood = header.get("kid").is_none_or(Value::is_string)
            && header.get("b64") != Some(&Value::Bool(false))
            && header.get("crit").is_none_or(|critical| only_b64_is_critical(critical, &header));
        let algorithm = Algorithm::from_name(header.get("alg")?.as_str()?)?;
        is_understood.then(|| Self { algorithm, kid: header.get("kid").cloned() })
    }

    /// The name of the key, which is a string.
    pub(crate) fn kid(&self) -> Option<&Value> {
        self.kid.as_ref()
    }

    /// As we write it: encoded, its members sorted.
    pub(crate) fn written(&self) -> String {
        let mut header = Object::new();
        header.insert("alg", self.algorithm.name());
        if let Some(kid) = &self.kid {
            header.insert("kid", kid.clone());
        }
        header.insert("typ", "JWT");
        encode(object_to_compact(&header).as_bytes())
    }

    /// Whether the key may have signed the token: an algorithm belongs to a key (RFC 8725 section 3.1), so that no
    /// header can have a public key taken for a secret; and names, where both have one, are the same.
    pub(crate) fn points_to(&self, key: &VerifyingKey) -> bool {
        let is_its_name = |name: &str| self.kid.as_ref().is_none_or(|kid| kid.as_str() == Some(name));
        self.algorithm == key.algorithm() && key.kid().is_none_or(is_its_name)
    }
}

/// Base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The same, after what is there.
pub(crate) fn encode_into(bytes: &[u8], text: &mut String) {
    BASE64_URL_SAFE_NO_PAD.encode_string(bytes, text);
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

fn only_b64_is_critical(critical: &Value, header: &Object) -> bool {
    match critical {
        Value::Array(names) if !names.is_empty() => {
            names.iter().all(|name| name.as_str() == Some("b64")) && header.contains_key("b64")
        }
        _ => false,
    }
}
