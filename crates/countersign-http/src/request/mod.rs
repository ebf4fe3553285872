//! Reads what a request says about itself and its body, as pure functions on bytes; answers nothing and does no I/O.

pub mod accept;
pub mod charset;
pub mod content_type;
mod decode;
mod fields;
pub mod form;
pub mod host;
pub mod multipart;
mod parameters;
pub mod percent;

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

pub use charset::{Charset, UnsupportedCharset};
pub use content_type::BodyKind;
pub use decode::DecodeError;
pub use fields::{FieldValue, Fields};
pub use multipart::MultipartError;

/// The largest JSON or form body, and the most multipart text, in bytes (Django's `DATA_UPLOAD_MAX_MEMORY_SIZE`).
pub const MAX_BODY_BYTES: usize = 2_621_440;

/// The most fields in a form or query string (Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`).
pub const MAX_FIELDS: usize = 1000;

/// The most file parts in a multipart body (Django's `DATA_UPLOAD_MAX_NUMBER_FILES`).
pub const MAX_FILES: usize = 100;

/// A body, read as far as its `Content-Type` says.
#[derive(PartialEq, Eq)]
pub enum Body {
    /// The text of a JSON document, not parsed yet.
    Json(Zeroizing<String>),
    /// The fields of a form; also of an empty body, whatever its type.
    Fields(Fields),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(_) => f.write_str("Json(..)"),
            Self::Fields(fields) => fields.fmt(f),
        }
    }
}

/// Why a body is refused. The text is the exact `detail` of the answer, except for [`BodyError::OverLimit`].
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    /// 415: no parser for this `Content-Type`, given here as it was sent.
    #[error("Unsupported media type \"{0}\" in request.")]
    UnsupportedMediaType(String),
    /// 400.
    #[error(transparent)]
    Charset(#[from] UnsupportedCharset),
    /// 400.
    #[error("JSON parse error - {0}")]
    Json(#[from] DecodeError),
    /// 400.
    #[error("Multipart form parse error - {0}")]
    Multipart(#[from] MultipartError),
    /// 400, with the plain HTML page instead of a `detail`.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
}

/// A request holds more than the server reads: 400 with the plain HTML page, as for every suspicious request.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum OverLimit {
    /// More than [`MAX_FIELDS`].
    #[error("more than {MAX_FIELDS} fields")]
    Fields,
    /// More than [`MAX_FILES`].
    #[error("more than {MAX_FILES} files")]
    Files,
    /// More than [`MAX_BODY_BYTES`].
    #[error("more than {MAX_BODY_BYTES} bytes")]
    Bytes,
}

/// Reads a body by its `Content-Type` (as [`header_text`] gives it; `None` when absent).
///
/// An empty body has no fields whatever its type. JSON text must be sound in its charset; forms replace what
/// is not by U+FFFD.
pub fn parse_body(content_type: Option<&str>, body: &[u8]) -> Result<Body, BodyError> {
    if body.is_empty() {
        return Ok(Body::Fields(Fields::default()));
    }
    let header = content_type.unwrap_or_default();
    let kind =
        content_type::body_kind(header).ok_or_else(|| BodyError::UnsupportedMediaType(header.to_owned()))?;
    // File parts do not count towards the limit, so multipart bodies keep their own account.
    if kind != BodyKind::Multipart && body.len() > MAX_BODY_BYTES {
        return Err(OverLimit::Bytes.into());
    }
    let charset = content_type::charset(header)?;
    Ok(match kind {
        BodyKind::Json => Body::Json(Zeroizing::new(charset.decode_stream(body)?)),
        BodyKind::Form => Body::Fields(form::parse(body, charset)?),
        BodyKind::Multipart => Body::Fields(multipart::parse(header, body, charset)?),
    })
}

/// Reads a query string, without its `?`. The charset of the *body* applies to it too, as in Django.
pub fn parse_query(content_type: Option<&str>, query: &[u8]) -> Result<Fields, OverLimit> {
    // The reference crashes when that charset is not one of text.
    let charset = content_type::charset(content_type.unwrap_or_default()).unwrap_or(Charset::UTF_8);
    form::parse(query, charset)
}

/// The text of a header: one character per byte, as WSGI hands it over.
#[must_use]
pub fn header_text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().copied().map(char::from).collect(),
    }
}
