//! URL-encoded forms and query strings.

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::{Charset, Fields, MAX_FIELDS, OverLimit, header_text};

/// Reads a form body or a query string.
///
/// Only `&` parts fields; `+` is a space; broken escapes stay; bytes that make no sense in `charset` become U+FFFD.
/// More than [`MAX_FIELDS`] fields, empty ones counted, are refused.
pub fn parse(bytes: &[u8], charset: Charset) -> Result<Fields, OverLimit> {
    // As the reference: what is not sound in its charset is read byte by byte.
    let text = Zeroizing::new(charset.decode_strict(bytes).unwrap_or_else(|| header_text(bytes)));
    if text.split('&').nth(MAX_FIELDS).is_some() {
        return Err(OverLimit::Fields);
    }
    let mut fields = Fields::default();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.set_text(unescape(name, charset), unescape(value, charset));
    }
    Ok(fields)
}

/// Decodes `+` and percent escapes. Escapes are decoded per run of ASCII characters, in the form's charset.
fn unescape(text: &str, charset: Charset) -> String {
    let mut text = Zeroizing::new(text.replace('+', " "));
    if !text.contains('%') {
        return std::mem::take(&mut *text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (ascii, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii()).unwrap_or(rest.len()));
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(percent_decode_str(ascii).collect());
        out.push_str(&charset.decode_replacing(&bytes));
        let (other, tail) = tail.split_at(tail.find(|c: char| c.is_ascii()).unwrap_or(tail.len()));
        out.push_str(other);
        rest = tail;
    }
    out
}
