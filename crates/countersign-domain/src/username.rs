//! User names: the checks at registration, and the two forms of a name, as sent and as stored.

use crate::field::{FieldError, is_storable, limited_errors, no_errors, not_blank};
use crate::text::{RawText, is_word, nfkc};

/// The longest user name in code points.
const MAX_LENGTH: usize = 150;

/// A user name that may be registered. It is looked up as sent, but stored in normalisation form KC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username {
    as_sent: String,
    stored: String,
}

impl Username {
    /// The most code points a name may have.
    pub const MAX_LENGTH: usize = MAX_LENGTH;

    /// Starts the checks of a name at registration.
    ///
    /// Fails with [`FieldError::Blank`], in which case nobody asks whether the name is taken. Otherwise the
    /// caller finds that out and passes it to [`UsernameCheck::finish`], because its error stands between the
    /// others.
    pub fn check(raw: &RawText) -> Result<UsernameCheck, FieldError> {
        let text = not_blank(raw)?;
        let invalid = !text.chars().all(is_username_character);
        let after = limited_errors(text, raw, MAX_LENGTH);
        Ok(UsernameCheck { text: text.to_owned(), invalid, after })
    }

    /// All checks but uniqueness, for a caller who leaves that to the insert.
    pub fn parse(raw: &RawText) -> Result<Username, Vec<FieldError>> {
        Username::check(raw).map_err(|blank| vec![blank])?.finish(false)
    }

    /// The trimmed name as the client sent it: for looking up and for the uniqueness check.
    #[must_use]
    pub fn as_sent(&self) -> &str {
        &self.as_sent
    }

    /// The name to store and to answer with: NFKC. It was normalised after the checks, as Django does, so it
    /// may be longer than 150 code points, have other characters, or be another user's name.
    #[must_use]
    pub fn stored(&self) -> &str {
        &self.stored
    }
}

/// A name half checked: only whether it is taken is still open.
#[derive(Debug)]
#[must_use]
pub struct UsernameCheck {
    text: String,
    invalid: bool,
    after: Vec<FieldError>,
}

impl UsernameCheck {
    /// The name to look up, even if its other checks failed. `None` when it holds NUL or a surrogate, which
    /// no stored name can: then it is not taken.
    #[must_use]
    pub fn to_look_up(&self) -> Option<&str> {
        is_storable(&self.after).then_some(&self.text)
    }

    /// The name, or everything wrong with it in the reference's order: characters, uniqueness, length, NUL,
    /// surrogate.
    pub fn finish(self, taken: bool) -> Result<Username, Vec<FieldError>> {
        let invalid = self.invalid.then_some(FieldError::InvalidUsername);
        let taken = taken.then_some(FieldError::UsernameTaken);
        no_errors(invalid.into_iter().chain(taken).chain(self.after).collect())?;
        Ok(Username { stored: nfkc(&self.text), as_sent: self.text })
    }
}

fn is_username_character(character: char) -> bool {
    is_word(character) || ".@+-".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{self, string};

    /// Letters that Unicode has since version 15: we let them pass, as Django on a newer Python does.
    const NEWER_LETTERS: [&str; 2] = ["\u{1e030}", "\u{31350}"];

    #[test]
    fn every_recorded_name_is_judged_and_normalised_like_the_reference() {
        let vectors = vectors::read("username_validator.json");
        assert_eq!(vectors.len(), 234);
        for vector in &vectors {
            let name = string(vector, "username");
            let valid = !name.is_empty() && name.chars().all(is_username_character);
            if NEWER_LETTERS.contains(&name) {
                assert!(valid && vector["valid"] == false, "{name:?}");
            } else {
                assert_eq!(vector["valid"], valid, "{name:?}");
                assert_eq!(vector["nfkc"], nfkc(name), "{name:?}");
            }
        }
    }
}
