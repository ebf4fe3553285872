//! A password in the clear, as short-lived and as silent as it can be made.

use std::fmt;

use zeroize::Zeroizing;

use crate::field::{FieldError, limited_errors, no_errors, not_blank, parse_text};
use crate::text::RawText;

/// The longest password at registration, in code points.
const MAX_LENGTH: usize = 128;

/// A password that a client sent: trimmed, not empty, wiped on drop, never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Reads a password that is to be set: trimmed, at most 128 code points.
    ///
    /// Fails with [`FieldError::Blank`] alone, or with length, NUL and surrogate as they apply.
    pub fn parse_new(raw: &RawText) -> Result<Password, Vec<FieldError>> {
        let text = not_blank(raw).map_err(|blank| vec![blank])?;
        no_errors(limited_errors(text, raw, MAX_LENGTH))?;
        Ok(Password(Zeroizing::new(text.to_owned())))
    }

    /// Reads a password that is to be verified (login): trimmed as well, but of any length.
    ///
    /// Fails with [`FieldError::Blank`] alone, or with NUL and surrogate as they apply.
    pub fn parse_presented(raw: &RawText) -> Result<Password, Vec<FieldError>> {
        parse_text(raw).map(|text| Password(Zeroizing::new(text)))
    }

    /// The password itself. Each call is a place to look at in review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}
