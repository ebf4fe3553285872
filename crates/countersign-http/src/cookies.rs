//! Tokens in cookies (`TOKEN_COOKIES`): those that a request brings, and those that its answer sets. Where that is off, no
//! cookie is looked at.

use std::sync::OnceLock;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;

use crate::origins::Origins;

/// Sent to every path, as protected endpoints are anywhere: those of other services behind the same proxy, too.
const ACCESS: Cookie =
    Cookie { name: "__Host-access_token", attributes: "Path=/; HttpOnly; Secure; SameSite=Lax" };
/// Sent to us alone. `__Host-` would have it sent to every service behind the same proxy.
const REFRESH: Cookie = Cookie {
    name: "__Secure-refresh_token",
    attributes: "Path=/user/api/token/refresh/; HttpOnly; Secure; SameSite=Strict",
};
/// Scripts of our own origin read it.
const CSRF: Cookie = Cookie { name: "__Host-csrftoken", attributes: "Path=/; Secure; SameSite=Strict" };
/// What browsers take of a cookie, its name and attributes included (RFC 6265bis section 5.6).
const MAX_COOKIE: usize = 4096;

/// What settings decide about tokens in cookies.
#[derive(Debug, Clone)]
pub struct TokenCookies {
    /// Origins beside our own whose pages may act with the cookies: `CORS_ALLOWED_ORIGINS` and
    /// `CORS_ALLOWED_ORIGIN_REGEXES`.
    pub trusted_origins: Origins,
    /// `ACCESS_TOKEN_LIFETIME`.
    pub access_lifetime: SignedDuration,
    /// `REFRESH_TOKEN_LIFETIME`.
    pub refresh_lifetime: SignedDuration,
}

/// One of our cookies.
struct Cookie {
    name: &'static str,
    attributes: &'static str,
}

/// The cookies of one request and of its answer.
pub(crate) struct Cookies<'a> {
    pub(crate) settings: Option<&'a TokenCookies>,
    /// Origins whose pages CORS lets call us.
    pub(crate) pages: Option<&'a Origins>,
    pub(crate) headers: &'a HeaderMap,
    /// What the answer sets.
    set: OnceLock<Vec<HeaderValue>>,
}

/// What a browser is to keep.
pub(crate) struct Kept<'a> {
    pub(crate) access: &'a str,
    /// The refresh token and the CSRF token, where they are new.
    pub(crate) session: Option<(&'a str, &'a str)>,
}

impl<'a> Cookies<'a> {
    pub(crate) fn of(
        settings: Option<&'a TokenCookies>,
        pages: Option<&'a Origins>,
        headers: &'a HeaderMap,
    ) -> Self {
        Self { settings, pages, headers, set: OnceLock::new() }
    }

    /// The access token.
    pub(crate) fn access(&self) -> Option<&'a str> {
        self.find(&ACCESS)
    }

    /// The refresh token.
    pub(crate) fn refresh(&self) -> Option<&'a str> {
        self.find(&REFRESH)
    }

    fn find(&self, cookie: &Cookie) -> Option<&'a str> {
        self.settings?;
        values(self.headers, cookie.name).find(|value| !value.is_empty())
    }

    /// Has the browser keep these.
    pub(crate) fn keep(&self, kept: &Kept<'_>) {
        let Some(settings) = self.settings else { return };
        let mut lines = vec![ACCESS.line(kept.access, settings.access_lifetime)];
        if let Some((refresh, csrf)) = kept.session {
            lines.push(REFRESH.line(refresh, settings.refresh_lifetime));
            lines.push(CSRF.line(csrf, settings.refresh_lifetime));
        }
        self.set(lines);
    }

    /// Has the browser forget all of them.
    pub(crate) fn forget(&self) {
        if self.settings.is_some() {
            self.set(
                [ACCESS, REFRESH, CSRF].iter().map(|cookie| cookie.line("", SignedDuration::ZERO)).collect(),
            );
        }
    }

    fn set(&self, lines: Vec<HeaderValue>) {
        let _ = self.set.set(lines); // a handler decides once
    }

    /// Writes what was decided into the answer.
    pub(crate) fn write_to(self, answer: &mut HeaderMap) {
        for line in self.set.into_inner().unwrap_or_default() {
            answer.append(SET_COOKIE, line);
        }
    }
}

/// The values of the cookies of this name.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    pairs(headers).filter_map(move |(of, value)| (of == name).then_some(value))
}

/// The cookies that are text, by name and value; others may hold anything.
pub(crate) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        Some((name.trim_ascii(), value.trim_ascii()))
    })
}

impl Cookie {
    fn line(&self, value: &str, lifetime: SignedDuration) -> HeaderValue {
        let Self { name, attributes } = self;
        let line = format!("{name}={value}; Max-Age={}; {attributes}", lifetime.as_secs());
        if line.len() > MAX_COOKIE {
            tracing::warn!(
                cookie = name,
                bytes = line.len(),
                "a token is too long for a cookie, so that browsers drop it: shorten TOKEN_CLAIMS"
            );
        }
        let mut line = HeaderValue::try_from(line).expect("tokens are base64url and dots");
        line.set_sensitive(true);
        line
    }
}
