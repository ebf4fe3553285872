//! PEM (RFC 7468): the first key in a text, as DER.

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
