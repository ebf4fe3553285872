//! The token in the `Authorization` header, or in the header that `AUTH_HEADER_NAME` names (RFC 6750 §2.1).

use std::borrow::Cow;

use crate::error::Error;

/// Reads `<type> <token>` from a header value. `None` when the value speaks of another scheme, or there is none.
///
/// Words are separated by ASCII white space; the type is compared as it is, case included.
pub(crate) fn token<'a>(value: &'a [u8], types: &[String]) -> Result<Option<&'a [u8]>, Error> {
    let mut words = value.split(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c));
    let mut words = words.by_ref().filter(|word| !word.is_empty());
    match words.next() {
        Some(word) if types.iter().any(|known| known.as_bytes() == word) => {}
        _ => return Ok(None),
    }
    match (words.next(), words.next()) {
        (Some(token), None) => Ok(Some(token)),
        _ => Err(Error::BadAuthorizationHeader),
    }
}

/// A token as text. What is no text is no token either. (Looking for what is not takes longer than to see that all is.)
pub(crate) fn text(token: &[u8]) -> Cow<'_, str> {
    str::from_utf8(token).map_or_else(|_| String::from_utf8_lossy(token), Cow::Borrowed)
}
