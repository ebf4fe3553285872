//! Finding the encoding of JSON bytes, as Python's `json.loads` does (RFC 4627 section 3).

use super::{Value, parse_constants};
use std::borrow::Cow;

/// Reads JSON from UTF-8, UTF-16 or UTF-32 bytes, with or without byte order mark, as Python's `json.loads` does of
/// bytes. `None` when the bytes are not text or the text is not JSON.
///
/// Lone surrogates are read from escapes only, not from bytes that encode them.
#[must_use]
pub fn parse_bytes(bytes: &[u8]) -> Option<Value> {
    parse_constants(&decode(bytes)?).ok()
}

fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match bytes {
        [0xff, 0xfe, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0, 0, 0xfe, 0xff, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        // JSON starts with an ASCII character, so the zeros around it tell.
        [0, 0, _, _, ..] => utf32(bytes, u32::from_be_bytes),
        [0, _, _, _, ..] | [0, _] => utf16(bytes, u16::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(bytes, u32::from_le_bytes),
        [_, 0, _, _, ..] | [_, 0] => utf16(bytes, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'_, str>> {
    let (units, rest) = bytes.as_chunks();
    let text: Result<String, _> = char::decode_utf16(units.iter().copied().map(unit)).collect();
    text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
}

fn utf32(bytes: &[u8], code: fn([u8; 4]) -> u32) -> Option<Cow<'_, str>> {
    let (codes, rest) = bytes.as_chunks();
    let text: Option<String> = codes.iter().copied().map(code).map(char::from_u32).collect();
    text.filter(|_| rest.is_empty()).map(Cow::Owned)
}
