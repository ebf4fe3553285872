//! Every path of the wire, on one page.

use crate::endpoint::Endpoint;
use crate::{blacklist, jwks, login, me, refresh, register, verify};

const ROUTES: [(&str, &Endpoint); 8] = [
    ("/user/api/register/", &register::ENDPOINT),
    ("/user/api/login/", &login::ENDPOINT),
    ("/user/api/login/sliding/", &login::SLIDING_ENDPOINT),
    ("/user/api/token/refresh/", &refresh::ENDPOINT),
    ("/user/api/token/refresh/sliding/", &refresh::SLIDING_ENDPOINT),
    ("/user/api/token/verify/", &verify::ENDPOINT),
    ("/user/api/token/blacklist/", &blacklist::ENDPOINT),
    ("/user/api/me/", &me::ENDPOINT),
];

/// Where a request goes.
pub(crate) enum Route {
    /// To an endpoint.
    Endpoint(&'static Endpoint),
    /// To the public keys.
    Jwks,
    /// To the same path with a slash at its end (`APPEND_SLASH`).
    AppendSlash(&'static str),
    /// Nowhere.
    NotFound,
}

/// Matches a percent-decoded path exactly: no folding of case, dots or slashes.
pub(crate) fn find(path: &str) -> Route {
    if path == jwks::PATH {
        return Route::Jwks;
    }
    for (known, endpoint) in &ROUTES {
        match path.strip_prefix(known.trim_end_matches('/')) {
            Some("/") => return Route::Endpoint(endpoint),
            Some("") => return Route::AppendSlash(known),
            _ => {}
        }
    }
    Route::NotFound
}
