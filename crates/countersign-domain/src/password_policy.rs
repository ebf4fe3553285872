//! Which passwords are good enough: Django's four validators, configurable.

use std::collections::{HashMap, HashSet};
use std::fmt;

use zeroize::Zeroizing;

use crate::field::{Attribute, FieldError};
use crate::password::Password;
use crate::text::{is_digit, is_word, lower, strip};

/// Django's list: one password per line, in lower case, the most common first.
const COMMON_PASSWORDS: &str = include_str!("../data/common-passwords.txt");

/// One of Django's password validators with its options.
#[derive(Debug, Clone, PartialEq)]
pub enum PasswordValidator {
    /// Refuses what is too much like an attribute of the user.
    UserAttributeSimilarity {
        /// From this ratio on a password is too similar; 0.1 to 1.0, in Django 0.7 by default.
        max_similarity: f64,
        /// What to compare with, in order; only the first that is too similar is reported.
        attributes: Vec<Attribute>,
    },
    /// Refuses passwords that are too short.
    MinimumLength {
        /// The shortest allowed length in code points, in Django 8 by default.
        min_length: usize,
    },
    /// Refuses the 19,640 passwords of Django's list, whatever their case.
    Common,
    /// Refuses passwords of digits only, of whatever script.
    Numeric,
}

/// What a password is compared with; an empty attribute is passed over.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserAttributes<'a> {
    /// User name.
    pub username: &'a str,
    /// First name.
    pub first_name: &'a str,
    /// Last name.
    pub last_name: &'a str,
    /// E-mail address.
    pub email: &'a str,
}

impl UserAttributes<'_> {
    fn get(&self, attribute: Attribute) -> &str {
        match attribute {
            Attribute::Username => self.username,
            Attribute::FirstName => self.first_name,
            Attribute::LastName => self.last_name,
            Attribute::Email => self.email,
        }
    }
}

/// The validators that a new password has to pass, in order.
///
/// Make one and share it: a policy with [`PasswordValidator::Common`] holds an index of the list.
pub struct PasswordPolicy {
    validators: Vec<PasswordValidator>,
    common: HashSet<&'static str>,
}

impl PasswordPolicy {
    /// A policy of these validators; their order is that of the reported reasons. Without any it accepts everything.
    #[must_use]
    pub fn new(validators: Vec<PasswordValidator>) -> PasswordPolicy {
        let needs_list = validators.contains(&PasswordValidator::Common);
        let common = if needs_list { COMMON_PASSWORDS.lines().collect() } else { HashSet::new() };
        PasswordPolicy { validators, common }
    }

    /// The fewest characters that it accepts, as far as a validator asks for some.
    #[must_use]
    pub fn min_length(&self) -> usize {
        let lengths = self.validators.iter().filter_map(|validator| match validator {
            PasswordValidator::MinimumLength { min_length } => Some(*min_length),
            _ => None,
        });
        lengths.max().unwrap_or_default()
    }

    /// Every reason to refuse the password, at most one per validator; empty when it is accepted.
    #[must_use]
    pub fn check(&self, password: &Password, user: &UserAttributes<'_>) -> Vec<FieldError> {
        self.check_text(password.expose(), user)
    }

    fn check_text(&self, password: &str, user: &UserAttributes<'_>) -> Vec<FieldError> {
        let lowered = Zeroizing::new(lower(password));
        let reason = |validator: &PasswordValidator| match validator {
            PasswordValidator::UserAttributeSimilarity { max_similarity, attributes } => attributes
                .iter()
                .find(|&&attribute| is_similar(&lowered, user.get(attribute), *max_similarity))
                .map(|&attribute| FieldError::TooSimilar(attribute)),
            &PasswordValidator::MinimumLength { min_length } => {
                (password.chars().count() < min_length).then_some(FieldError::TooShort { min: min_length })
            }
            PasswordValidator::Common => {
                self.common.contains(strip(&lowered)).then_some(FieldError::TooCommon)
            }
            PasswordValidator::Numeric => {
                let numeric = !password.is_empty() && password.chars().all(is_digit);
                numeric.then_some(FieldError::EntirelyNumeric)
            }
        };
        self.validators.iter().filter_map(reason).collect()
    }
}

/// The policy of a new Django project: all four validators with Django's options and in its order.
impl Default for PasswordPolicy {
    fn default() -> PasswordPolicy {
        use Attribute::{Email, FirstName, LastName, Username};
        PasswordPolicy::new(vec![
            PasswordValidator::UserAttributeSimilarity {
                max_similarity: 0.7,
                attributes: vec![Username, FirstName, LastName, Email],
            },
            PasswordValidator::MinimumLength { min_length: 8 },
            PasswordValidator::Common,
            PasswordValidator::Numeric,
        ])
    }
}

impl fmt::Debug for PasswordPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PasswordPolicy").field(&self.validators).finish()
    }
}

/// Whether a lower-cased password is too much like an attribute or one of the words in it.
fn is_similar(password: &str, attribute: &str, max_similarity: f64) -> bool {
    let lowered = lower(attribute);
    !attribute.is_empty()
        && attribute_parts(&lowered).into_iter().any(|part| {
            !is_much_longer(password, part, max_similarity) && quick_ratio(password, part) >= max_similarity
        })
}

/// What lies between the runs of non-word characters, empty pieces at the ends included, and then the whole.
fn attribute_parts(lowered: &str) -> Vec<&str> {
    let is_separator = |character| !is_word(character);
    let mut parts = Vec::new();
    let mut rest = lowered;
    while let Some((part, after)) = rest.split_once(is_separator) {
        parts.push(part);
        rest = after.trim_start_matches(is_separator);
    }
    parts.extend([rest, lowered]);
    parts
}

/// Whether the password is so much longer than the part that they cannot be similar: Django skips these.
fn is_much_longer(password: &str, part: &str, max_similarity: f64) -> bool {
    let (password_length, part_length) = (code_points(password), code_points(part));
    password_length >= 10.0 * part_length && part_length < max_similarity / 2.0 * password_length
}

/// Python's `SequenceMatcher.quick_ratio`: twice the code points in common, in any order, over those of both.
fn quick_ratio(password: &str, part: &str) -> f64 {
    let total = code_points(password) + code_points(part);
    if total == 0.0 {
        return 1.0;
    }
    let mut unmatched: HashMap<char, usize> = HashMap::new();
    for character in part.chars() {
        *unmatched.entry(character).or_default() += 1;
    }
    let mut in_common = 0.0;
    for character in password.chars() {
        if let Some(count) = unmatched.get_mut(&character).filter(|count| **count > 0) {
            *count -= 1;
            in_common += 1.0;
        }
    }
    2.0 * in_common / total
}

#[expect(clippy::cast_precision_loss, reason = "no text has 2^52 code points")]
fn code_points(text: &str) -> f64 {
    text.chars().count() as f64
}

#[cfg(test)]
mod tests;
