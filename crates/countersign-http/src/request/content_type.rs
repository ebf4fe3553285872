//! Which parser and charset a `Content-Type` asks for.

use super::charset::{Charset, UnsupportedCharset};
use super::multipart::MultipartError;
use super::parameters::Parameterized;

/// A longer header than this, in bytes, matches no parser.
const MAX_HEADER_LENGTH: usize = 256;

/// The kinds of body that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `multipart/form-data`
    Multipart,
}

impl BodyKind {
    /// In the order in which a wildcard chooses.
    const ALL: [Self; 3] = [Self::Json, Self::Form, Self::Multipart];

    fn main_and_sub_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::Form => ("application", "x-www-form-urlencoded"),
            Self::Multipart => ("multipart", "form-data"),
        }
    }
}

/// The parser for a `Content-Type` (as [`super::header_text`] gives it, empty when absent).
/// `None` is a 415. Parameters do not matter; `*` matches as in `Accept`.
#[must_use]
pub fn body_kind(header: &str) -> Option<BodyKind> {
    if header.chars().count() > MAX_HEADER_LENGTH {
        return None;
    }
    let media_type = Parameterized::parse(header).value;
    let (main, sub) = media_type.split_once('/')?;
    let matches = |asked: &str, ours: &str| asked == "*" || asked == ours;
    BodyKind::ALL.into_iter().find(|kind| {
        let (our_main, our_sub) = kind.main_and_sub_type();
        matches(main, our_main) && matches(sub, our_sub)
    })
}

/// The charset a `Content-Type` names, if Python knows it, else UTF-8.
pub fn charset(header: &str) -> Result<Charset, UnsupportedCharset> {
    let header = Parameterized::parse(header);
    header.find("charset").and_then(Charset::for_label).unwrap_or(Ok(Charset::UTF_8))
}

/// The boundary of a multipart `Content-Type`, refused as Django refuses it.
pub(super) fn boundary(header: &str) -> Result<String, MultipartError> {
    // The media type was matched in lower case, but the reference's multipart parser looks at the header as sent.
    if !header.starts_with("multipart/") {
        return Err(MultipartError::ContentType(header.to_owned()));
    }
    if !header.is_ascii() {
        return Err(MultipartError::NonAsciiContentType(header.to_owned()));
    }
    let parsed = Parameterized::parse(header);
    let Some(boundary) = parsed.find("boundary") else { return Err(MultipartError::NoBoundary) };
    let is_printable = boundary.bytes().all(|b| (b' '..=b'~').contains(&b));
    if (1..=201).contains(&boundary.len()) && is_printable && !boundary.ends_with(' ') {
        Ok(boundary.to_owned())
    } else {
        Err(MultipartError::Boundary(boundary.to_owned()))
    }
}
