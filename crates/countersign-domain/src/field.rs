//! Why a field is refused, and the checks that every text field shares.
//!
//! There are no sentences here: the HTTP crate alone turns a [`FieldError`] into the reference's words.

use crate::text::{RawText, strip};

/// One reason to refuse one field. Several can hold at once; they are reported in the order found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldError {
    /// The field is missing.
    Required,
    /// The field is `null`.
    Null,
    /// Nothing is left after trimming.
    Blank,
    /// A boolean, list or object where text belongs.
    NotAString,
    /// Not the syntax of an e-mail address.
    InvalidEmail,
    /// A character that user names may not have.
    InvalidUsername,
    /// An e-mail address that cannot be a user name as well.
    AddressIsNoUsername,
    /// What a link in a message proves it by is forged, expired or used.
    InvalidLink,
    /// Another user has exactly this name.
    UsernameTaken,
    /// Another user has exactly this e-mail address.
    EmailTaken,
    /// More than `max` code points.
    TooLong {
        /// The longest allowed length in code points.
        max: usize,
    },
    /// U+0000 occurs.
    NullCharacters,
    /// A lone surrogate occurs; this is the first (U+D800 to U+DFFF).
    Surrogate(u16),
    /// The password is too much like this attribute of its user.
    TooSimilar(Attribute),
    /// The password has fewer than `min` code points.
    TooShort {
        /// The shortest allowed length in code points.
        min: usize,
    },
    /// The password is in the list of common passwords.
    TooCommon,
    /// The password has digits only.
    EntirelyNumeric,
}

/// What of a user a password is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// The user name.
    Username,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The e-mail address.
    Email,
}

/// Reads a text field that only has to be there: the user name at login, `refresh`, `token`.
///
/// Returns the trimmed text, or [`FieldError::Blank`] alone, or [`FieldError::NullCharacters`] and
/// [`FieldError::Surrogate`] as they apply. There is no limit of length.
pub fn parse_text(raw: &RawText) -> Result<String, Vec<FieldError>> {
    let text = not_blank(raw).map_err(|blank| vec![blank])?;
    no_errors(character_errors(raw).collect())?;
    Ok(text.to_owned())
}

/// The trimmed text, or [`FieldError::Blank`].
pub(crate) fn not_blank(raw: &RawText) -> Result<&str, FieldError> {
    let text = strip(raw.as_str());
    if text.is_empty() { Err(FieldError::Blank) } else { Ok(text) }
}

/// Length, NUL and surrogate, in this order: what all fields with a limit share.
pub(crate) fn limited_errors(text: &str, raw: &RawText, max: usize) -> Vec<FieldError> {
    let too_long = text.chars().nth(max).map(|_| FieldError::TooLong { max });
    too_long.into_iter().chain(character_errors(raw)).collect()
}

/// `Ok` when nothing was found wrong.
pub(crate) fn no_errors(errors: Vec<FieldError>) -> Result<(), Vec<FieldError>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whether a text with these errors could be stored at all.
pub(crate) fn is_storable(errors: &[FieldError]) -> bool {
    !errors.iter().any(|error| matches!(error, FieldError::NullCharacters | FieldError::Surrogate(_)))
}

// Neither NUL nor U+FFFD is white space, so looking at the untrimmed text finds the same.
fn character_errors(raw: &RawText) -> impl Iterator<Item = FieldError> {
    let null = raw.as_str().contains('\0').then_some(FieldError::NullCharacters);
    null.into_iter().chain(raw.first_surrogate().map(FieldError::Surrogate))
}
