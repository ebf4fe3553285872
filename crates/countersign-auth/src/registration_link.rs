//! The link in a message to somebody who wants an account: an address, until when, and a proof of both by `SECRET_KEY`.
//! Nothing is stored of it; it is used up when the account is there.

use jiff::Timestamp;

use crate::ConfiguredKeys;
use crate::proofs::{Proofs, from_hex, to_hex};

/// Stands in the address of a page for what proves the link.
const TOKEN: &str = "{token}";

/// The page of the operator's that a link leads to, where the password is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmPage {
    url: String,
    host: String,
}

impl ConfirmPage {
    /// Reads the page's address, or says what it has to be.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let rest =
            rest.ok_or("has to begin with https:// (or http://, where only a machine's own user sees it)")?;
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("must not have blanks or letters beyond ASCII; write them as %20");
        }
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if host.is_empty() || host.contains(['@', '{']) {
            return Err("has to name a host, as https://app.example.com/welcome#token={token}");
        }
        if path.matches(TOKEN).count() != 1 {
            return Err("has to have {token} in it once, as https://app.example.com/welcome#token={token}");
        }
        Ok(Self { url: url.to_owned(), host: host.to_owned() })
    }

    /// The host, with its port if it has one: what a site is called in messages.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether what is read there can be read on the way.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let name = self.host.rsplit_once(':').map_or(&*self.host, |(name, _)| name);
        let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&name) || self.host == "[::1]";
        self.url.starts_with("http://") && !is_here
    }

    /// The address with this token.
    pub(crate) fn link(&self, token: &str) -> String {
        self.url.replace(TOKEN, token)
    }
}

/// Makes and reads what proves a link.
pub(crate) struct Links(Proofs);

impl Links {
    pub(crate) fn of(keys: &ConfiguredKeys) -> Self {
        Self(Proofs::of(keys, b"countersign registration links v1"))
    }

    /// For this address, until then: of letters, digits and dots.
    pub(crate) fn make(&self, address: &str, expires_at: Timestamp) -> String {
        let expires = expires_at.as_second().to_string();
        let proof = self.0.make(&[address.as_bytes(), expires.as_bytes()]);
        format!("{}.{expires}.{proof}", to_hex(address.as_bytes()))
    }

    /// The address that it was made for, or the rule by which it is not good.
    pub(crate) fn read(&self, token: &str, now: Timestamp) -> Result<String, &'static str> {
        let forged = "link_malformed_or_forged";
        let mut parts = token.split('.');
        let (Some(address), Some(expires), Some(proof), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(forged);
        };
        let address = from_hex(address).and_then(|address| String::from_utf8(address).ok()).ok_or(forged)?;
        if !self.0.is_of(&[address.as_bytes(), expires.as_bytes()], proof) {
            return Err(forged);
        }
        let expires_at =
            expires.parse().ok().and_then(|secs| Timestamp::from_second(secs).ok()).ok_or(forged)?;
        if now < expires_at { Ok(address) } else { Err("link_expired") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_an_address_with_a_place_for_the_token_after_its_host() {
        let page = ConfirmPage::parse("https://app.example.com:8443/welcome#token={token}").unwrap();
        assert_eq!(page.host(), "app.example.com:8443");
        assert_eq!(page.link("a.b"), "https://app.example.com:8443/welcome#token=a.b");
        for bad in [
            "",
            "app.example.com/{token}",
            "ftp://app.example.com/{token}",
            "https://app.example.com/welcome",
            "https://app.example.com/{token}/{token}",
            "https://{token}.example.com/",
            "https:///{token}",
            "https://ada@app.example.com/{token}",
            "https://app.example.com/a b{token}",
            "https://app.example.com/\n{token}",
            "https://app.example.com/\u{e4}{token}",
        ] {
            assert!(ConfirmPage::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_is_reached_without_encryption_unseen() {
        for (url, is_plain) in [
            ("https://app.example.com/{token}", false),
            ("http://app.example.com/{token}", true),
            ("http://localhost:3000/{token}", false),
            ("http://127.0.0.1/{token}", false),
            ("http://[::1]:3000/{token}", false),
            ("http://[::1]/{token}", false),
            ("http://localhost.example.com/{token}", true),
        ] {
            assert_eq!(ConfirmPage::parse(url).unwrap().is_plain(), is_plain, "{url}");
        }
    }
}
