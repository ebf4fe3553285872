//! `multipart/form-data`, read with the leniencies of Django 5.2's parser: a boundary counts wherever it stands,
//! the last one may be missing, and parts without a name or with broken headers are passed over.
//!
//! An own scanner instead of the `multer` crate, because these leniencies decide which fields a request has.

use countersign_domain::strip;
use memchr::memmem;
use thiserror::Error;
use zeroize::Zeroizing;

use super::parameters::Parameterized;
use super::{
    BodyError, Charset, FieldValue, Fields, MAX_BODY_BYTES, MAX_FIELDS, MAX_FILES, OverLimit, content_type,
};

mod base64;
mod parts;

use parts::{Part, Parts};

/// The headers of a part end within this many bytes.
const MAX_HEADER_BYTES: usize = 1024;

/// Why a multipart body is refused. The text follows `Multipart form parse error - `.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum MultipartError {
    /// The `Content-Type` matched only in lower case or by a wildcard.
    #[error("Invalid Content-Type: {0}")]
    ContentType(String),
    /// The `Content-Type` is not ASCII.
    #[error("Invalid non-ASCII Content-Type in multipart: {0}")]
    NonAsciiContentType(String),
    /// There is no boundary.
    #[error("Invalid boundary in multipart: None")]
    NoBoundary,
    /// The boundary is empty, too long, ends with a space or is not printable.
    #[error("Invalid boundary in multipart: {0}")]
    Boundary(String),
    /// A part begins with more than 1024 bytes that hold no end of headers.
    #[error("Request max total header size exceeded.")]
    HeadersTooLong,
    /// A file said to be base64 is not.
    #[error("Could not decode base64 data.")]
    Base64,
}

/// Reads a multipart body. `header` is its `Content-Type` (as [`super::header_text`] gives it).
///
/// A file counts only when another part or the final boundary follows, and then hides text of the same name.
/// Limits: [`MAX_FIELDS`], [`MAX_FILES`], [`MAX_BODY_BYTES`] of text.
pub fn parse(header: &str, body: &[u8], charset: Charset) -> Result<Fields, BodyError> {
    let boundary = content_type::boundary(header)?;
    let mut form = Form { charset, fields: Fields::default(), field_count: 0, file_count: 0, text_bytes: 0 };
    let mut files = Vec::new();
    let mut unfinished_file = None;
    let mut parts = Parts::new(body, &boundary);
    while let Some(mut part) = parts.next_part() {
        let headers = part.take_headers(&mut parts)?;
        files.extend(unfinished_file.take());
        unfinished_file = form.read_part(&headers, &mut part, &mut parts)?;
    }
    for name in files {
        form.fields.set(name, FieldValue::File);
    }
    Ok(form.fields)
}

/// What has been read so far.
struct Form {
    charset: Charset,
    fields: Fields,
    field_count: usize,
    file_count: usize,
    text_bytes: usize,
}

impl Form {
    /// Reads one part; the answer is the name of a file that is whole once another part begins.
    fn read_part(
        &mut self,
        headers: &PartHeaders,
        part: &mut Part,
        parts: &mut Parts<'_>,
    ) -> Result<Option<String>, BodyError> {
        if headers.file_name.is_none() {
            self.field_count += 1;
            // Two more for what stands before the first and after the last boundary.
            if self.field_count > MAX_FIELDS + 2 {
                return Err(OverLimit::Fields.into());
            }
        }
        let Some(name) = &headers.name else { return Ok(None) };
        let name = self.charset.decode_replacing(name.trim_matches(is_ascii_space).as_bytes());
        match &headers.file_name {
            None => self.read_text(name, headers.is_base64, part, parts).map(|()| None),
            Some(file_name) => {
                self.file_count += 1;
                if self.file_count > MAX_FILES {
                    return Err(OverLimit::Files.into());
                }
                if !is_usable_file_name(&self.charset.decode_replacing(file_name.as_bytes())) {
                    return Ok(None);
                }
                read_file(headers.is_base64, part, parts)?;
                Ok((!name.is_empty()).then_some(name))
            }
        }
    }

    fn read_text(
        &mut self,
        name: String,
        is_base64: bool,
        part: &mut Part,
        parts: &mut Parts<'_>,
    ) -> Result<(), BodyError> {
        while part.pull(parts).is_some() {}
        let data = part.take(parts);
        // Two more for the `&` and `=` that a URL-encoded form would have.
        self.text_bytes += data.len() + name.chars().count() + 2;
        if self.text_bytes > MAX_BODY_BYTES {
            return Err(OverLimit::Bytes.into());
        }
        let decoded = if is_base64 { base64::decode(data).map(Zeroizing::new) } else { None };
        let text = self.charset.decode_replacing(decoded.as_ref().map_or(data, |bytes| bytes));
        self.fields.set_text(name, text);
        Ok(())
    }
}

/// Reads a file to its end and forgets it; only its base64, if it says so, must be sound.
fn read_file(is_base64: bool, part: &mut Part, parts: &mut Parts<'_>) -> Result<(), MultipartError> {
    let mut held_back: Vec<u8> = Vec::new();
    loop {
        let chunk = part.take(parts);
        if is_base64 {
            // As the reference: each chunk on its own, in groups of four that carry over to the next.
            held_back.extend(chunk.iter().filter(|byte| !is_ascii_space(char::from(**byte))));
            let remainder = held_back.split_off(held_back.len() / 4 * 4);
            base64::decode(&held_back).ok_or(MultipartError::Base64)?;
            held_back = remainder;
        }
        if part.pull(parts).is_none() {
            break;
        }
    }
    if held_back.is_empty() { Ok(()) } else { Err(MultipartError::Base64) }
}

/// What the headers of a part say.
#[derive(Debug, Default)]
struct PartHeaders {
    /// Present when there is a `Content-Disposition` with a name.
    name: Option<String>,
    /// Present when the part is a file.
    file_name: Option<String>,
    is_base64: bool,
}

impl PartHeaders {
    /// Reads header lines; what is no header in UTF-8 is passed over, and of equal headers the last one counts.
    fn parse(lines: &[u8]) -> Self {
        let mut headers = Self::default();
        for line in CrLfLines(lines) {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let header = Parameterized::parse(line);
            let Some((name, value)) = header.value.split_once(':').filter(|_| !header.malformed) else {
                continue;
            };
            match name {
                "content-disposition" => {
                    headers.name = header.find("name").map(str::to_owned);
                    headers.file_name =
                        header.find("filename").filter(|file_name| !file_name.is_empty()).map(str::to_owned);
                }
                "content-transfer-encoding" => headers.is_base64 = strip(value) == "base64",
                _ => {}
            }
        }
        headers
    }
}

/// The lines between CRLFs.
struct CrLfLines<'a>(&'a [u8]);

impl<'a> Iterator for CrLfLines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memmem::find(self.0, b"\r\n").unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.strip_prefix(b"\r\n").unwrap_or_default();
        Some(line)
    }
}

/// Whether anything is left of a file name without its directories.
fn is_usable_file_name(path: &str) -> bool {
    let file_name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let printable: String = file_name.chars().filter(|c| !c.is_control()).collect();
    !matches!(printable.as_str(), "" | "." | "..")
}

/// What Python's `bytes.strip` and `bytes.split` take for white space.
fn is_ascii_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}
