//! Whether a request that brings cookies comes from a page that may use them: by where it comes from, and by the CSRF
//! token that it shows. Requests that bring their token in a header need neither.

use countersign_auth::Auth;
use countersign_domain::SessionId;
use http::header::{HOST, HeaderName, ORIGIN};

use crate::cookies::Cookies;
use crate::error::Error;
use crate::origins::Origin;
use crate::service::joined;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const TOKEN: HeaderName = HeaderName::from_static("x-csrftoken");

/// Why a request may not use the cookies that it brings. The words are Django's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CsrfFailure {
    #[error("Origin checking failed - {0} does not match any trusted origins.")]
    Origin(String),
    #[error("Origin checking failed - the request does not say where it comes from.")]
    NoOrigin,
    #[error("CSRF token missing.")]
    TokenMissing,
    #[error("CSRF token from the 'X-Csrftoken' HTTP header incorrect.")]
    TokenIncorrect,
}

/// Who sends a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A page of our own origin, or of one that is trusted.
    OurPage,
    /// Another page.
    OtherPage(String),
    /// No browser: each says where a request comes from that is more than a `GET`.
    NoBrowser,
}

impl Cookies<'_> {
    /// Who sends the request. A script can forge neither header; `Sec-Fetch-Site` needs no trust in what a proxy makes of
    /// `Host`, and is missing in old browsers and in those that speak plain HTTP.
    pub(crate) fn sender(&self) -> Sender {
        let (origin, site) = (joined(self.headers, &ORIGIN), joined(self.headers, &FETCH_SITE));
        let text = origin.as_deref().map(String::from_utf8_lossy);
        let Some(text) = text else {
            return match site.as_deref() {
                Some(b"same-origin") => Sender::OurPage,
                Some(_) => Sender::OtherPage("the page".to_owned()),
                None => Sender::NoBrowser,
            };
        };
        let origin = Origin::read(&text).filter(Origin::is_exact);
        let is_trusted = |origin: &Origin<'_>| {
            self.settings.is_some_and(|settings| settings.trusted_origins.trusts(origin))
        };
        let is_ours = match site.as_deref() {
            Some(site) => site == b"same-origin",
            None => origin.as_ref().is_some_and(|origin| self.is_this_host(origin)),
        };
        if is_ours || origin.as_ref().is_some_and(is_trusted) {
            Sender::OurPage
        } else {
            Sender::OtherPage(text.into_owned())
        }
    }

    /// Whether a browser says that a page sends the request which is neither of our host nor of those whose pages CORS lets
    /// call us.
    pub(crate) fn come_from_a_foreign_page(&self) -> bool {
        let text = joined(self.headers, &ORIGIN);
        let text = text.as_deref().map(String::from_utf8_lossy);
        let origin = text.as_deref().map(|text| Origin::read(text).filter(Origin::is_exact));
        if let (Some(Some(origin)), Some(pages)) = (&origin, self.pages)
            && pages.trusts(origin)
        {
            return false;
        }
        match joined(self.headers, &FETCH_SITE).as_deref() {
            Some(site) => !matches!(site, b"same-origin" | b"none"),
            None => origin.is_some_and(|origin| !origin.is_some_and(|origin| self.is_named_by_host(&origin))),
        }
    }

    /// Whether this is `https://` and our `Host`. Whoever is on the way may speak for `http://`.
    fn is_this_host(&self, origin: &Origin<'_>) -> bool {
        origin.scheme == "https" && self.is_named_by_host(origin)
    }

    fn is_named_by_host(&self, origin: &Origin<'_>) -> bool {
        joined(self.headers, &HOST).is_some_and(|host| host.eq_ignore_ascii_case(origin.authority.as_bytes()))
    }

    /// Refuses what does not come from one of our pages.
    pub(crate) fn check_sender(&self) -> Result<(), Error> {
        match self.sender() {
            Sender::OurPage => Ok(()),
            Sender::OtherPage(origin) => Err(CsrfFailure::Origin(origin).into()),
            Sender::NoBrowser => Err(CsrfFailure::NoOrigin.into()),
        }
    }

    /// Refuses what does not come from one of our pages, or does not show the CSRF token of the session.
    ///
    /// The cookie `__Host-csrftoken` is how the page gets it; that it came back is not looked at, as it could prove less.
    pub(crate) fn check_page(&self, auth: &Auth, session: Option<&SessionId>) -> Result<(), Error> {
        self.check_sender()?;
        let token = joined(self.headers, &TOKEN).ok_or(CsrfFailure::TokenMissing)?;
        let token = std::str::from_utf8(&token).unwrap_or_default();
        let is_good = session.is_some_and(|session| auth.is_csrf_token(session, token));
        if is_good { Ok(()) } else { Err(CsrfFailure::TokenIncorrect.into()) }
    }
}
