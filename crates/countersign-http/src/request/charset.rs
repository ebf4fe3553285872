//! The charsets that Python knows, under all the names it knows them by.

use encoding_rs::Encoding;
use thiserror::Error;

use super::decode::{self, DecodeError};

/// One line per codec of Python 3.11: module name, aliases, and for single-byte charsets the code points of bytes
/// 0 to 255 (or 128 to 255, when the others are ASCII) as four hexadecimal digits each, `fffe` for none;
/// `-` marks what is no text encoding.
const CODECS: &str = include_str!("charsets.tsv");

/// A charset that bodies are decoded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset {
    pub(super) codec: Codec,
}

/// Python knows the charset, but it is no text encoding (`bz2`, `rot13`) or one that this server does not decode.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("Unsupported charset \"{label}\" in request Content-Type header.")]
pub struct UnsupportedCharset {
    /// The charset as the client named it.
    pub label: String,
}

/// How the bytes of a charset become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Utf8 {
        skip_mark: bool,
    },
    /// Byte order as given by the name, else by a byte order mark.
    Utf16(Option<ByteOrder>),
    Utf32(Option<ByteOrder>),
    Ascii,
    Latin1,
    /// The last column of [`CODECS`].
    SingleByte(&'static str),
    MultiByte(&'static str, &'static Encoding),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Big,
    Little,
}

impl Charset {
    /// What is read when nothing else is said.
    pub const UTF_8: Self = Self { codec: Codec::Utf8 { skip_mark: false } };

    /// Finds a charset by any name that Python's `codecs.lookup` takes: case and punctuation do not matter.
    /// `None` when Python does not know it.
    #[must_use]
    pub fn for_label(label: &str) -> Option<Result<Self, UnsupportedCharset>> {
        let normalized = normalize(label);
        let undotted = normalized.replace('.', "_");
        let rows = || CODECS.lines().map(row);
        let by_alias =
            |name: &str| rows().find(|(_, aliases, _)| aliases.split(' ').any(|alias| alias == name));
        let by_name = || rows().find(|(name, _, _)| *name == normalized);
        if normalized.is_empty() {
            return None;
        }
        let (name, _, table) = by_alias(&normalized).or_else(|| by_alias(&undotted)).or_else(by_name)?;
        Some(match codec(name, table) {
            Some(codec) => Ok(Self { codec }),
            None => Err(UnsupportedCharset { label: label.to_owned() }),
        })
    }

    /// The text of a JSON body. Bytes that make no sense are an error with Python's message, but a character that is
    /// cut off by the end of the body is dropped, as Python's stream readers do in UTF-8, UTF-16 and UTF-32.
    pub fn decode_stream(self, bytes: &[u8]) -> Result<String, DecodeError> {
        decode::stream(self.codec, bytes)
    }

    /// The whole text, or `None` when any of it makes no sense.
    #[must_use]
    pub fn decode_strict(self, bytes: &[u8]) -> Option<String> {
        decode::strict(self.codec, bytes)
    }

    /// The text with U+FFFD for what makes no sense.
    #[must_use]
    pub fn decode_replacing(self, bytes: &[u8]) -> String {
        decode::replacing(self.codec, bytes)
    }
}

fn row(line: &'static str) -> (&'static str, &'static str, &'static str) {
    let mut columns = line.split('\t');
    let mut next = || columns.next().unwrap_or_default();
    (next(), next(), next())
}

/// Lower-cases, and turns each run of punctuation into one underscore, none at the ends. Letters beyond ASCII vanish.
fn normalize(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    let mut after_punctuation = false;
    for c in label.to_lowercase().chars() {
        if !c.is_alphanumeric() && c != '.' {
            after_punctuation = true;
            continue;
        }
        if after_punctuation && !out.is_empty() {
            out.push('_');
        }
        if c.is_ascii() {
            out.push(c);
        }
        after_punctuation = false;
    }
    out
}

/// How to decode one of [`CODECS`]; `None` for codecs that are no text encoding or have no decoder here.
fn codec(name: &'static str, table: &'static str) -> Option<Codec> {
    use ByteOrder::{Big, Little};
    Some(match name {
        "utf_8" => Codec::Utf8 { skip_mark: false },
        "utf_8_sig" => Codec::Utf8 { skip_mark: true },
        "utf_16" => Codec::Utf16(None),
        "utf_16_be" => Codec::Utf16(Some(Big)),
        "utf_16_le" => Codec::Utf16(Some(Little)),
        "utf_32" => Codec::Utf32(None),
        "utf_32_be" => Codec::Utf32(Some(Big)),
        "utf_32_le" => Codec::Utf32(Some(Little)),
        "ascii" => Codec::Ascii,
        // `charmap` without a table is Latin-1.
        "latin_1" | "iso8859_1" | "charmap" => Codec::Latin1,
        "big5" | "big5hkscs" | "cp950" => Codec::MultiByte(name, encoding_rs::BIG5),
        "shift_jis" | "cp932" => Codec::MultiByte(name, encoding_rs::SHIFT_JIS),
        "euc_jp" => Codec::MultiByte(name, encoding_rs::EUC_JP),
        "iso2022_jp" => Codec::MultiByte(name, encoding_rs::ISO_2022_JP),
        "euc_kr" | "cp949" => Codec::MultiByte(name, encoding_rs::EUC_KR),
        "gb2312" | "gbk" => Codec::MultiByte(name, encoding_rs::GBK),
        "gb18030" => Codec::MultiByte(name, encoding_rs::GB18030),
        _ if table.len() > 1 => Codec::SingleByte(table),
        _ => return None,
    })
}
