//! Every path of the wire, on one page.

use crate::document::Document;
use crate::endpoint::Endpoint;
use crate::health::{self, Probe};
use crate::{blacklist, docs, forward_auth, jwks, login, logout, me, refresh, register, sessions, verify};

/// What stands for the part of a path that is the endpoint's argument: letters and digits.
pub(crate) const ARGUMENT: &str = "{id}";

/// The API.
pub(crate) const ENDPOINTS: [(&str, &Endpoint); 13] = [
    ("/user/api/register/", &register::ENDPOINT),
    ("/user/api/login/", &login::ENDPOINT),
    ("/user/api/login/sliding/", &login::SLIDING_ENDPOINT),
    ("/user/api/token/refresh/", &refresh::ENDPOINT),
    ("/user/api/token/refresh/sliding/", &refresh::SLIDING_ENDPOINT),
    ("/user/api/token/verify/", &verify::ENDPOINT),
    ("/user/api/token/blacklist/", &blacklist::ENDPOINT),
    ("/user/api/me/", &me::ENDPOINT),
    ("/user/api/logout/", &logout::ENDPOINT),
    ("/user/api/logout/all/", &logout::ALL_ENDPOINT),
    ("/user/api/sessions/", &sessions::ENDPOINT),
    ("/user/api/sessions/{id}/", &sessions::ONE_ENDPOINT),
    ("/auth/verify", &forward_auth::ENDPOINT),
];

/// What is no endpoint of the API.
pub(crate) const DOCUMENTS: [&Document; 7] = {
    let [page, style, script, swagger_style, swagger] = &docs::PAGES;
    [&jwks::DOCUMENT, &docs::OPENAPI, page, style, script, swagger_style, swagger]
};

/// Where a request goes.
pub(crate) enum Route<'a> {
    /// To the endpoint of this number, with its argument (empty where the path has none).
    Endpoint(usize, &'static Endpoint, &'a str),
    /// To the document of this number.
    Document(usize, &'static Document),
    /// To what tells whether the server lives, or is ready.
    Probe(Probe),
    /// To the same path with a slash at its end (`APPEND_SLASH`).
    AppendSlash(String),
    /// Nowhere.
    NotFound,
}

/// Matches a percent-decoded path exactly: no folding of case, dots or slashes.
pub(crate) fn find(path: &str) -> Route<'_> {
    match path {
        health::ALIVE => return Route::Probe(Probe::Alive),
        health::READY => return Route::Probe(Probe::Ready),
        _ => {}
    }
    for (number, (known, endpoint)) in ENDPOINTS.iter().enumerate() {
        let (known, end) = known.strip_suffix('/').map_or((*known, ""), |known| (known, "/"));
        let (argument, rest) = match known.strip_suffix(ARGUMENT) {
            None => ("", path.strip_prefix(known)),
            Some(before) => split_argument(path, before),
        };
        match rest {
            Some(rest) if rest == end => return Route::Endpoint(number, endpoint, argument),
            Some("") => return Route::AppendSlash(format!("{path}/")),
            _ => {}
        }
    }
    for (number, document) in DOCUMENTS.into_iter().enumerate() {
        match document.path.strip_prefix(path) {
            Some("") => return Route::Document(number, document),
            Some("/") => return Route::AppendSlash(format!("{path}/")),
            _ => {}
        }
    }
    Route::NotFound
}

/// The letters and digits that follow `before` in a path, if there are any, and what follows them.
fn split_argument<'a>(path: &'a str, before: &str) -> (&'a str, Option<&'a str>) {
    let Some(rest) = path.strip_prefix(before) else { return ("", None) };
    let end = rest.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(rest.len());
    match rest.split_at_checked(end) {
        Some((argument, rest)) if !argument.is_empty() => (argument, Some(rest)),
        _ => ("", None),
    }
}
