//! The path and query of a request target: decoded for routing, encoded again for a redirect.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use std::fmt::Write;

/// What Django's `iri_to_uri` leaves as it is, beside letters and digits.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'#')
    .remove(b'%')
    .remove(b'[')
    .remove(b']')
    .remove(b'=')
    .remove(b':')
    .remove(b';')
    .remove(b'$')
    .remove(b'&')
    .remove(b'(')
    .remove(b')')
    .remove(b'+')
    .remove(b',')
    .remove(b'!')
    .remove(b'?')
    .remove(b'*')
    .remove(b'@')
    .remove(b'\'')
    .remove(b'~')
    .remove(b'_')
    .remove(b'.')
    .remove(b'-');

/// The text of a request path for routing: escapes decoded once, `%2F` included, nothing folded.
/// Broken escapes stay, and bytes that are not UTF-8 are escaped again (`%FF`).
#[must_use]
pub fn decode_path(path: &[u8]) -> String {
    if let Some(plain) = str::from_utf8(path).ok().filter(|path| !path.contains('%')) {
        return plain.to_owned();
    }
    let bytes: Vec<u8> = percent_decode(path).collect();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "%{byte:02X}").expect("a String takes every write");
        }
    }
    text
}

/// A query string as it stands in a `Location`: as sent, except that what may not stand in a URI is escaped.
#[must_use]
pub fn encode_query(query: &[u8]) -> String {
    utf8_percent_encode(&super::header_text(query), KEPT).to_string()
}
