//! E-mail addresses: Django's idea of their syntax, by a scanner that is linear in the input.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::field::{FieldError, is_storable, limited_errors, no_errors, not_blank};
use crate::text::{RawText, lower, strip};

/// The longest address in code points.
const MAX_LENGTH: usize = Email::MAX_LENGTH;
/// The longest address in code points that has a valid syntax at all (RFC 3696).
const MAX_SYNTAX_LENGTH: usize = 320;
/// The longest label of a domain in code points (RFC 1034).
const MAX_LABEL_LENGTH: usize = 63;
/// The longest IPv6 literal: eight full groups. Longer ones, possible with a dotted end, are refused unread.
const MAX_IPV6_LENGTH: usize = 39;

/// An e-mail address of a valid form, or the empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// The most code points an address may have.
    pub const MAX_LENGTH: usize = 254;

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
        if !has_valid_syntax(text) {
            errors.push(FieldError::InvalidEmail);
        }
        no_errors(errors)?;
        Ok(Email(text.to_owned()))
    }

    /// Starts the checks of an address that has to be there, as no other user's: the name to log in with.
    ///
    /// As [`Username::check`](crate::Username::check): the caller finds out whether it is taken.
    pub fn check(raw: &RawText) -> Result<EmailCheck, FieldError> {
        let text = not_blank(raw)?;
        let mut after = limited_errors(text, raw, MAX_LENGTH);
        if !has_valid_syntax(text) {
            after.push(FieldError::InvalidEmail);
        }
        Ok(EmailCheck { text: text.to_owned(), after })
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

    /// The address in lower case, ASCII's: by which two are the same that differ in nothing else. More would be too much, as
    /// letters that some database or alphabet takes for the same may be two mailboxes.
    #[must_use]
    pub fn without_case(&self) -> String {
        self.stored().to_ascii_lowercase()
    }

    /// The same address, kept without case.
    #[must_use]
    pub fn into_lower_case(self) -> Self {
        Self(self.without_case())
    }

    /// What most providers deliver into one mailbox is one here: without case, dots, quotes and what follows a `+`.
    #[must_use]
    pub fn mailbox(&self) -> String {
        let address = self.without_case();
        let Some((local, domain)) = address.rsplit_once('@') else { return address };
        let name = local.split('+').next().unwrap_or_default();
        let name: String = name.chars().filter(|character| !".\"\\".contains(*character)).collect();
        if name.is_empty() { address } else { format!("{name}@{domain}") }
    }
}

/// An address half checked: only whether it is taken is still open.
#[derive(Debug)]
#[must_use]
pub struct EmailCheck {
    text: String,
    after: Vec<FieldError>,
}

impl EmailCheck {
    /// The address to look up, even if its other checks failed; `None` when no stored one can be it.
    #[must_use]
    pub fn to_look_up(&self) -> Option<&str> {
        is_storable(&self.after).then_some(&self.text)
    }

    /// The address, or everything wrong with it in the reference's order: uniqueness, length, NUL, surrogate, syntax.
    pub fn finish(self, taken: bool) -> Result<Email, Vec<FieldError>> {
        let taken = taken.then_some(FieldError::EmailTaken);
        no_errors(taken.into_iter().chain(self.after).collect())?;
        Ok(Email(self.text))
    }
}

fn has_valid_syntax(text: &str) -> bool {
    let too_long = text.chars().nth(MAX_SYNTAX_LENGTH).is_some();
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !too_long
        && (is_dot_atom(local) || is_quoted_string(local))
        && (domain == "localhost" || is_domain_name(domain) || is_address_literal(domain))
}

fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

/// In quotes: most control characters and all of visible ASCII; blanks, quotes and backslashes only escaped.
fn is_quoted_string(local: &str) -> bool {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let fits = match character {
            '\\' => characters.next().is_some_and(is_quotable),
            '\t' | ' ' | '"' => false,
            plain => is_quotable(plain),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// At least two labels, of which the last is a top-level domain.
fn is_domain_name(domain: &str) -> bool {
    domain.rsplit_once('.').is_some_and(|(labels, top_level)| {
        labels.split('.').all(is_label) && is_label(top_level) && is_top_level(top_level)
    })
}

fn is_label(label: &str) -> bool {
    let too_long = label.chars().nth(MAX_LABEL_LENGTH).is_some();
    let hyphen_outside = label.starts_with('-') || label.ends_with('-');
    let known = |character| is_letter_or_hyphen(character) || character.is_ascii_digit();
    !label.is_empty() && !too_long && !hyphen_outside && label.chars().all(known)
}

/// What a label must be to stand last: two or more characters without an ASCII digit, unless it is Punycode.
fn is_top_level(label: &str) -> bool {
    let plain = label.chars().nth(1).is_some() && label.chars().all(is_letter_or_hyphen);
    let punycode = label.split_at_checked(4).is_some_and(|(prefix, rest)| {
        let known = |character: char| is_ascii_letter_folded(character) || character.is_ascii_digit();
        prefix.eq_ignore_ascii_case("xn--") && !rest.is_empty() && rest.chars().all(known)
    });
    plain || punycode
}

fn is_address_literal(domain: &str) -> bool {
    domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|address| {
        let is_ipv6 = address.len() <= MAX_IPV6_LENGTH && address.parse::<Ipv6Addr>().is_ok();
        is_ipv6 || address.parse::<Ipv4Addr>().is_ok()
    })
}

fn is_atom_character(character: char) -> bool {
    is_ascii_letter_folded(character)
        || character.is_ascii_digit()
        || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

fn is_quotable(character: char) -> bool {
    match character {
        '\0' | '\n' | '\r' => false,
        ascii if ascii.is_ascii() => true,
        other => is_ascii_letter_folded(other),
    }
}

/// Letters of a domain: ASCII, and everything from U+00A1 in the basic multilingual plane.
fn is_letter_or_hyphen(character: char) -> bool {
    character == '-' || character.is_ascii_alphabetic() || matches!(character, '\u{a1}'..='\u{ffff}')
}

/// The reference ignores case as Unicode folds it: dotted and dotless i, long s and the kelvin sign are
/// letters.
fn is_ascii_letter_folded(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '\u{130}' | '\u{131}' | '\u{17f}' | '\u{212a}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{self, string};

    #[test]
    fn every_recorded_address_is_judged_and_normalised_like_the_reference() {
        let vectors = vectors::read("email_validator.json");
        assert_eq!(vectors.len(), 221);
        for vector in &vectors {
            let text = string(vector, "email");
            assert_eq!(vector["valid"], has_valid_syntax(text), "{text:?}");
            if vector["valid"] == true {
                assert_eq!(Email(text.to_owned()).stored(), string(vector, "normalized"));
            }
        }
    }

    fn email(text: &str) -> Email {
        Email::parse(&RawText::from(text.to_owned())).unwrap()
    }

    #[test]
    fn addresses_that_differ_in_the_case_of_ascii_are_the_same_and_no_others() {
        assert_eq!(email("Ada.L@Example.COM").without_case(), "ada.l@example.com");
        assert_eq!(email("m\u{131}ke@example.com").without_case(), "m\u{131}ke@example.com");
        assert_ne!(email("\u{212a}ay@example.com").without_case(), email("Kay@example.com").without_case());
    }

    #[test]
    fn what_is_delivered_into_one_mailbox_is_one() {
        for text in
            ["ada.l@example.com", "ADAL+shop@Example.com", "a.d.a.l+1+2@example.com", "\"ada.l\"@example.com"]
        {
            assert_eq!(email(text).mailbox(), "adal@example.com", "{text}");
        }
        assert_eq!(email("+ada@example.com").mailbox(), "+ada@example.com");
        assert_ne!(email("ada@example.com").mailbox(), email("ada@a.example.com").mailbox());
    }

    #[test]
    fn no_address_can_end_a_line_or_bring_another_one() {
        for text in [
            "a\r\nBcc: b@example.com@example.com",
            "a@example.com\nBcc: b@example.com",
            "\"a\r\n\"@example.com",
            "\"\\\r\"@example.com",
        ] {
            assert!(Email::parse(&RawText::from(text.to_owned())).is_err(), "{text:?}");
        }
        assert_eq!(email(" a@example.com\r\n").as_sent(), "a@example.com");
    }

    #[test]
    fn an_ipv6_literal_longer_than_eight_full_groups_is_refused() {
        assert!(has_valid_syntax("a@[2001:0db8:0000:0000:0000:0000:0000:0001]"));
        assert!(!has_valid_syntax("a@[0000:0000:0000:0000:0000:ffff:255.255.255.255]"));
    }
}
