//! PEM (RFC 7468): the first key in a text as DER, and DER written as PEM.

use crate::KeyError;
use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

/// A key's DER, and how it is wrapped.
pub(crate) struct PemKey {
    pub(crate) is_private: bool,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// The first private or public key; blocks that are no keys (`EC PARAMETERS`) are passed over.
pub(crate) fn first_key(text: &[u8]) -> Result<PemKey, KeyError> {
    let mut rest = std::str::from_utf8(text).map_err(|_| KeyError::NotPem)?;
    loop {
        let (_, after) = rest.split_once("-----BEGIN ").ok_or(KeyError::NotPem)?;
        let (label, after) = after.split_once("-----").ok_or(KeyError::NotPem)?;
        let (body, after) = after.split_once("-----END ").ok_or(KeyError::NotPem)?;
        let is_private = match label {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => true,
            "PUBLIC KEY" | "RSA PUBLIC KEY" => false,
            "EC PARAMETERS" => {
                rest = after;
                continue;
            }
            _ => return Err(KeyError::UnsupportedPem(label.to_owned())),
        };
        let packed: Zeroizing<Vec<u8>> =
            Zeroizing::new(body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
        let der = BASE64_STANDARD.decode(&*packed).map_err(|_| KeyError::NotPem)?;
        return Ok(PemKey { is_private, der: Zeroizing::new(der) });
    }
}

/// DER as PEM. The text is made at its full length at once, so that no part of a private key stays behind.
pub(crate) fn written(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64_STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 66 / 64 + 2 * label.len() + 64));
    let mut add = |part: &str| text.push_str(part);
    add(&format!("-----BEGIN {label}-----\n"));
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        add(line);
        add("\n");
        rest = after;
    }
    add(&format!("-----END {label}-----\n"));
    text
}
