//! Which origins an operator trusts, in the names and with the meaning of django-cors-headers.

use regex_automata::meta::Regex;

/// Origins by name and by pattern.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    named: Vec<Named>,
    patterns: Vec<Regex>,
}

/// Scheme and authority, as Python's `urlsplit` takes them out of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    scheme: String,
    authority: String,
}

/// Why an origin in a setting is a mistake; each is a sentence with the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// `*`.
    #[error("`*` is no origin; set CORS_ALLOW_ALL_ORIGINS=True for any origin at all")]
    Any,
    /// `https://*.example.com`.
    #[error("{0:?} has a `*`, which stands for nothing here; use CORS_ALLOWED_ORIGIN_REGEXES")]
    Star(String),
    /// `app.example.com`.
    #[error("{0:?} lacks a scheme or a host; write it as https://app.example.com")]
    Incomplete(String),
    /// `https://app.example.com/`.
    #[error("{0:?} has more than an origin has; write {1}, with nothing behind the host, not even a slash")]
    More(String, String),
    /// `https://App.example.com`, `https://app.example.com:443`.
    #[error("no browser sends {0:?}; write {1}")]
    NeverSent(String, String),
    /// A pattern that cannot be read.
    #[error(
        "{0:?} cannot be read as a pattern: {1}; correct it (look-around and back-references are not known here)"
    )]
    Pattern(String, String),
}

impl Origins {
    /// Reads `CORS_ALLOWED_ORIGINS`.
    pub fn named(texts: &[String]) -> Result<Self, OriginError> {
        let named = texts.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
        Ok(Self { named, patterns: Vec::new() })
    }

    /// Adds `CORS_ALLOWED_ORIGIN_REGEXES`. A pattern has to match the whole of an origin: with Python's `re.match` one
    /// that lacks its `$` would let `https://app.example.com.evil.example` in.
    pub fn and_like(self, patterns: &[String]) -> Result<Self, OriginError> {
        let whole = |text: &String| {
            pattern(text)?; // by itself, so that no bracket of it can close ours
            pattern(&format!("(?:{text})\\z"))
        };
        let patterns = patterns.iter().map(whole).collect::<Result<_, _>>()?;
        Ok(Self { patterns, ..self })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.patterns.is_empty()
    }

    /// Whether pages of this origin may act for a user. Those of `null` and `file://` never may, as anybody can make them.
    pub(crate) fn trusts(&self, origin: &Origin<'_>) -> bool {
        !origin.authority.is_empty() && self.contains(origin)
    }

    /// Whether this is one of them.
    pub(crate) fn contains(&self, origin: &Origin<'_>) -> bool {
        let is_named = |named: &Named| {
            named.authority == origin.authority && named.scheme.eq_ignore_ascii_case(origin.scheme)
        };
        self.named.iter().any(is_named)
            || self.patterns.iter().any(|pattern| matches_from_the_start(pattern, origin.text))
    }
}

/// A pattern of a setting.
pub(crate) fn pattern(text: &str) -> Result<Regex, OriginError> {
    Regex::new(text).map_err(|error| {
        let why = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
        OriginError::Pattern(text.to_owned(), why.lines().last().unwrap_or_default().to_owned())
    })
}

/// As Python's `re.match`.
pub(crate) fn matches_from_the_start(pattern: &Regex, text: &str) -> bool {
    use regex_automata::{Anchored, Input};
    pattern.is_match(Input::new(text).anchored(Anchored::Yes))
}

/// The header `Origin` of a request.
pub(crate) struct Origin<'a> {
    pub(crate) text: &'a str,
    pub(crate) scheme: &'a str,
    /// Host and port.
    pub(crate) authority: &'a str,
}

impl<'a> Origin<'a> {
    /// Takes scheme and authority out as Python's `urlsplit` does, which finds neither in `null`. `None` for what it
    /// refuses: brackets that hold no address.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (scheme, rest) =
            text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", text));
        let behind = rest.strip_prefix("//").unwrap_or_default();
        let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
        let (authority, _) = behind.split_at_checked(end)?;
        has_sound_brackets(authority).then_some(Self { text, scheme, authority })
    }

    /// Whether it is nothing beside, as browsers send it.
    pub(crate) fn is_exact(&self) -> bool {
        let behind = self.text.strip_prefix(self.scheme).and_then(|rest| rest.strip_prefix("://"));
        behind == Some(self.authority)
    }
}

fn is_scheme(text: &str) -> bool {
    let is_of_schemes = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_schemes)
}

fn has_sound_brackets(authority: &str) -> bool {
    let inside = authority.split_once('[').map(|(_, rest)| rest.split_once(']').map(|(inside, _)| inside));
    match inside {
        None => !authority.contains(']'),
        Some(inside) => inside.is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok()),
    }
}

fn parse(text: &str) -> Result<Named, OriginError> {
    if text == "*" {
        return Err(OriginError::Any);
    }
    if text.contains('*') {
        return Err(OriginError::Star(text.to_owned()));
    }
    let incomplete = || OriginError::Incomplete(text.to_owned());
    let Origin { scheme, authority, .. } = Origin::read(text).ok_or_else(incomplete)?;
    // Of pages without an origin, and of files in Chrome on Android.
    if !["null", "file://"].contains(&text) {
        if scheme.is_empty() || authority.is_empty() {
            return Err(incomplete());
        }
        let origin = format!("{scheme}://{authority}");
        if origin != text {
            return Err(OriginError::More(text.to_owned(), origin));
        }
        let lower = origin.to_ascii_lowercase();
        let default_port = if lower.starts_with("https:") { ":443" } else { ":80" };
        let sent = lower.strip_suffix(default_port).unwrap_or(&lower);
        if sent != text {
            return Err(OriginError::NeverSent(text.to_owned(), sent.to_owned()));
        }
    }
    Ok(Named { scheme: scheme.to_owned(), authority: authority.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Origins::named(&[text.to_owned()]).expect_err(text).to_string()
    }

    #[test]
    fn each_mistake_in_an_origin_is_refused_with_the_fix() {
        for (text, fix) in [
            ("*", "CORS_ALLOW_ALL_ORIGINS"),
            ("https://*.example.com", "CORS_ALLOWED_ORIGIN_REGEXES"),
            ("app.example.com", "write it as https://"),
            ("localhost:3000", "write it as https://"),
            ("//app.example.com", "write it as https://"),
            ("https://", "write it as https://"),
            ("https://[::1", "write it as https://"),
            ("https://app.example.com/", "write https://app.example.com,"),
            ("https://app.example.com/login", "write https://app.example.com,"),
            ("https://app.example.com?a=b", "write https://app.example.com,"),
            ("https://app.example.com#a", "write https://app.example.com,"),
            ("https://App.example.com", "write https://app.example.com"),
            ("https://app.example.com:443", "write https://app.example.com"),
            ("http://app.example.com:80", "write http://app.example.com"),
        ] {
            assert!(refused(text).contains(fix), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn an_origin_as_browsers_send_it_is_accepted() {
        for text in
            ["https://app.example.com", "http://localhost:3000", "https://[::1]:8443", "null", "file://"]
        {
            assert!(Origins::named(&[text.to_owned()]).is_ok(), "{text}");
        }
        assert!(Origins::named(&["capacitor://localhost".to_owned()]).is_ok());
    }

    #[test]
    fn a_pattern_has_to_match_the_whole_origin_and_to_be_one() {
        let like = |pattern: &str| Origins::default().and_like(&[pattern.to_owned()]);
        let allows = |pattern: &str, origin: &str| {
            like(pattern).expect(pattern).contains(&Origin::read(origin).expect(origin))
        };
        for pattern in
            [r"^https://app\.example", r"https://app\.example$", r"^https://a$|^https://app\.example"]
        {
            assert!(allows(pattern, "https://app.example"), "{pattern}");
            assert!(!allows(pattern, "https://app.example.evil.example"), "{pattern}");
            assert!(!allows(pattern, "https://evil.example/https://app.example"), "{pattern}");
        }
        for bad in ["(", "a)(b", r"(?!a)b", "[a"] {
            let refused = like(bad).expect_err(bad).to_string();
            assert!(refused.contains("cannot be read as a pattern"), "{refused}");
        }
    }
}
