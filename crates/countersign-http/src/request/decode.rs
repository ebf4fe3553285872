//! Bytes to text in a charset, with the errors of Python's codecs.

use encoding_rs::{DecoderResult, Encoding};
use thiserror::Error;

use super::charset::{ByteOrder, Codec};
use super::header_text;

/// Why a body is no text in its charset, in Python's words.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// UTF-16 or UTF-32 of unsaid byte order lacks the mark.
    #[error("UTF-{0} stream does not start with BOM")]
    NoByteOrderMark(u8),
    /// One byte makes no sense.
    #[error("'{codec}' codec can't decode byte 0x{byte:02x} in position {position}: {reason}")]
    Byte {
        /// Python's name of the codec.
        codec: &'static str,
        /// The byte.
        byte: u8,
        /// Where it stands, in bytes from the start.
        position: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Several bytes make no sense together.
    #[error("'{codec}' codec can't decode bytes in position {first}-{last}: {reason}")]
    Bytes {
        /// Python's name of the codec.
        codec: &'static str,
        /// Where they begin, in bytes from the start.
        first: usize,
        /// Where the last one stands.
        last: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Decodes as Python's stream readers do: a character cut off by the end is dropped, except in multi-byte charsets.
pub(super) fn stream(codec: Codec, bytes: &[u8]) -> Result<String, DecodeError> {
    let (layout, bytes, start) = Layout::of(codec, bytes);
    let mut out = String::with_capacity(bytes.len());
    let text_end = match layout.decode(bytes, start, &mut out) {
        Some(fault) if fault.cut_off => fault.start,
        Some(fault) => return Err(fault.into_error(layout.codec_name(), bytes)),
        None => bytes.len(),
    };
    match codec {
        Codec::Utf16(None) if start == 0 && text_end >= 2 => Err(DecodeError::NoByteOrderMark(16)),
        Codec::Utf32(None) if start == 0 && text_end >= 4 => Err(DecodeError::NoByteOrderMark(32)),
        _ => Ok(out),
    }
}

/// Decodes all or nothing.
pub(super) fn strict(codec: Codec, bytes: &[u8]) -> Option<String> {
    let (layout, bytes, start) = Layout::of(codec, bytes);
    let mut out = String::with_capacity(bytes.len());
    layout.decode(bytes, start, &mut out).is_none().then_some(out)
}

/// Decodes with U+FFFD for each fault.
pub(super) fn replacing(codec: Codec, bytes: &[u8]) -> String {
    let (layout, bytes, mut start) = Layout::of(codec, bytes);
    if let Layout::MultiByte(_, encoding) = layout {
        // Its decoder keeps a state between faults.
        return encoding.decode_without_bom_handling(bytes).0.into_owned();
    }
    let mut out = String::with_capacity(bytes.len());
    while let Some(fault) = layout.decode(bytes, start, &mut out) {
        out.push(char::REPLACEMENT_CHARACTER);
        start = fault.end;
    }
    out
}

/// A codec with its byte order settled.
#[derive(Clone, Copy)]
enum Layout {
    Utf8,
    Utf16(ByteOrder),
    Utf32(ByteOrder),
    Ascii,
    Latin1,
    SingleByte(&'static str),
    MultiByte(&'static str, &'static Encoding),
}

/// Bytes `start..end` cannot be decoded.
struct Fault {
    start: usize,
    end: usize,
    reason: &'static str,
    /// The input ends within a character.
    cut_off: bool,
}

impl Fault {
    fn new(start: usize, end: usize, reason: &'static str) -> Self {
        Self { start, end, reason, cut_off: false }
    }

    fn cut_off(start: usize, end: usize) -> Self {
        Self { start, end, reason: "unexpected end of data", cut_off: true }
    }

    fn into_error(self, codec: &'static str, bytes: &[u8]) -> DecodeError {
        let Self { start, end, reason, .. } = self;
        match bytes.get(start..end) {
            Some(&[byte]) => DecodeError::Byte { codec, byte, position: start, reason },
            _ => DecodeError::Bytes { codec, first: start, last: end.saturating_sub(1), reason },
        }
    }
}

impl Layout {
    /// The layout, the bytes from which positions count, and where in these the text begins.
    fn of(codec: Codec, bytes: &[u8]) -> (Self, &[u8], usize) {
        use ByteOrder::{Big, Little};
        match codec {
            Codec::Utf8 { skip_mark } => {
                let unmarked = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| skip_mark);
                (Self::Utf8, unmarked.unwrap_or(bytes), 0)
            }
            Codec::Utf16(Some(order)) => (Self::Utf16(order), bytes, 0),
            Codec::Utf16(None) if bytes.starts_with(b"\xfe\xff") => (Self::Utf16(Big), bytes, 2),
            Codec::Utf16(None) => {
                (Self::Utf16(Little), bytes, if bytes.starts_with(b"\xff\xfe") { 2 } else { 0 })
            }
            Codec::Utf32(Some(order)) => (Self::Utf32(order), bytes, 0),
            Codec::Utf32(None) if bytes.starts_with(b"\0\0\xfe\xff") => (Self::Utf32(Big), bytes, 4),
            Codec::Utf32(None) => {
                (Self::Utf32(Little), bytes, if bytes.starts_with(b"\xff\xfe\0\0") { 4 } else { 0 })
            }
            Codec::Ascii => (Self::Ascii, bytes, 0),
            Codec::Latin1 => (Self::Latin1, bytes, 0),
            Codec::SingleByte(table) => (Self::SingleByte(table), bytes, 0),
            Codec::MultiByte(name, encoding) => (Self::MultiByte(name, encoding), bytes, 0),
        }
    }

    fn codec_name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16(ByteOrder::Big) => "utf-16-be",
            Self::Utf16(ByteOrder::Little) => "utf-16-le",
            Self::Utf32(ByteOrder::Big) => "utf-32-be",
            Self::Utf32(ByteOrder::Little) => "utf-32-le",
            Self::Ascii => "ascii",
            Self::Latin1 => "latin-1",
            Self::SingleByte(_) => "charmap",
            Self::MultiByte(name, _) => name,
        }
    }

    /// Appends the text from `start` on, up to the first fault.
    fn decode(self, bytes: &[u8], start: usize, out: &mut String) -> Option<Fault> {
        let rest = bytes.get(start..).unwrap_or_default();
        match self {
            Self::Utf8 => utf8(rest, start, out),
            Self::Utf16(order) => utf16(rest, start, order, out),
            Self::Utf32(order) => utf32(rest, start, order, out),
            Self::Ascii => {
                let ascii = rest.iter().position(|byte| !byte.is_ascii());
                out.extend(rest.iter().take(ascii.unwrap_or(rest.len())).copied().map(char::from));
                ascii.map(|at| Fault::new(start + at, start + at + 1, "ordinal not in range(128)"))
            }
            Self::Latin1 => {
                out.push_str(&header_text(rest));
                None
            }
            Self::SingleByte(table) => single_byte(rest, start, table, out),
            Self::MultiByte(_, encoding) => multi_byte(bytes, encoding, out),
        }
    }
}

fn utf8(rest: &[u8], start: usize, out: &mut String) -> Option<Fault> {
    let chunk = rest.utf8_chunks().next()?;
    out.push_str(chunk.valid());
    let faulty = rest.get(chunk.valid().len()..).unwrap_or_default();
    let &first = faulty.first()?;
    let at = start + chunk.valid().len();
    let end = at + chunk.invalid().len();
    Some(match first {
        _ if is_cut_off(faulty) => Fault::cut_off(at, end),
        0x80..=0xc1 | 0xf5.. => Fault::new(at, end, "invalid start byte"),
        _ => Fault::new(at, end, "invalid continuation byte"),
    })
}

/// Whether these last bytes of the input begin a character. Python takes half a surrogate for such a beginning.
fn is_cut_off(tail: &[u8]) -> bool {
    match tail {
        [0xed, 0xa0..=0xbf] => true,
        [_] | [_, _] | [_, _, _] => std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none()),
        _ => false,
    }
}

fn utf16(rest: &[u8], start: usize, order: ByteOrder, out: &mut String) -> Option<Fault> {
    let unit = |pair: &[u8; 2]| match order {
        ByteOrder::Big => u16::from_be_bytes(*pair),
        ByteOrder::Little => u16::from_le_bytes(*pair),
    };
    let (pairs, odd_byte) = rest.as_chunks::<2>();
    let mut at = start;
    let end = start + rest.len();
    for decoded in char::decode_utf16(pairs.iter().map(unit)) {
        match decoded {
            Ok(c) => {
                out.push(c);
                at += 2 * c.len_utf16();
            }
            Err(lone) if lone.unpaired_surrogate() >= 0xdc00 => {
                return Some(Fault::new(at, at + 2, "illegal encoding"));
            }
            Err(_) if at + 4 > end => return Some(Fault::cut_off(at, end)),
            Err(_) => return Some(Fault::new(at, at + 2, "illegal UTF-16 surrogate")),
        }
    }
    (!odd_byte.is_empty()).then(|| Fault::cut_off(at, end))
}

fn utf32(rest: &[u8], start: usize, order: ByteOrder, out: &mut String) -> Option<Fault> {
    let (quads, odd_bytes) = rest.as_chunks::<4>();
    for (index, quad) in quads.iter().enumerate() {
        let code = match order {
            ByteOrder::Big => u32::from_be_bytes(*quad),
            ByteOrder::Little => u32::from_le_bytes(*quad),
        };
        let at = start + 4 * index;
        match char::from_u32(code) {
            Some(c) => out.push(c),
            None if code < 0x11_0000 => {
                let reason = "code point in surrogate code point range(0xd800, 0xe000)";
                return Some(Fault::new(at, at + 4, reason));
            }
            None => return Some(Fault::new(at, at + 4, "code point not in range(0x110000)")),
        }
    }
    let end = start + rest.len();
    (!odd_bytes.is_empty()).then(|| Fault::cut_off(end - odd_bytes.len(), end))
}

fn single_byte(rest: &[u8], start: usize, table: &str, out: &mut String) -> Option<Fault> {
    let is_ascii_below_128 = table.len() == 4 * 128;
    for (index, &byte) in rest.iter().enumerate() {
        let decoded = match byte {
            ..128 if is_ascii_below_128 => Some(char::from(byte)),
            128.. if is_ascii_below_128 => table_entry(table, byte - 128),
            _ => table_entry(table, byte),
        };
        let Some(c) = decoded else {
            return Some(Fault::new(start + index, start + index + 1, "character maps to <undefined>"));
        };
        out.push(c);
    }
    None
}

fn table_entry(table: &str, row: u8) -> Option<char> {
    let column = 4 * usize::from(row);
    let code = u32::from_str_radix(table.get(column..column + 4)?, 16).ok()?;
    char::from_u32(code).filter(|c| *c != '\u{fffe}')
}

fn multi_byte(bytes: &[u8], encoding: &'static Encoding, out: &mut String) -> Option<Fault> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    out.reserve(decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or_default());
    let (result, read) = decoder.decode_to_string_without_replacement(bytes, out, false);
    if let DecoderResult::Malformed(length, after) = result {
        let start = read.saturating_sub(usize::from(length) + usize::from(after));
        return Some(Fault::new(start, start + 1, "illegal multibyte sequence"));
    }
    let (result, _) = decoder.decode_to_string_without_replacement(&[], out, true);
    let DecoderResult::Malformed(length, after) = result else { return None };
    let start = bytes.len().saturating_sub(usize::from(length) + usize::from(after));
    Some(Fault::new(start, bytes.len(), "incomplete multibyte sequence"))
}
