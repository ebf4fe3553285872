//! Every path of the wire, on one page.

use countersign_domain::LoginField;
use http::{Method, Response};

use crate::document::Document;
use crate::endpoint::Endpoint;
use crate::error::Code;
use crate::health::{self, Probe};
use crate::{
    blacklist, docs, forward_auth, front_page, jwks, login, logout, me, refresh, register, sessions, verify,
};

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
pub(crate) const DOCUMENTS: [&Document; 8] = {
    let [page, style, script, swagger_style, swagger] = &docs::PAGES;
    [&front_page::DOCUMENT, &jwks::DOCUMENT, &docs::OPENAPI, page, style, script, swagger_style, swagger]
};

/// What stands in their place where users log in with their e-mail address.
const BY_EMAIL: [(&str, &Endpoint); 3] = [
    ("/user/api/register/", &register::BY_EMAIL),
    ("/user/api/login/", &login::BY_EMAIL),
    ("/user/api/login/sliding/", &login::SLIDING_BY_EMAIL),
];

/// The API, where users log in with this.
pub(crate) fn endpoints(login_field: LoginField) -> impl Iterator<Item = (&'static str, &'static Endpoint)> {
    let others = others(login_field);
    ENDPOINTS.iter().map(move |named| *others.iter().find(|(path, _)| *path == named.0).unwrap_or(named))
}

/// Those that stand in the place of others.
fn others(login_field: LoginField) -> &'static [(&'static str, &'static Endpoint)] {
    match login_field {
        LoginField::Username => &[],
        LoginField::Email => &BY_EMAIL,
    }
}

/// Where a request goes.
pub(crate) enum Route<'a> {
    /// To the endpoint of this number, with its argument (empty where the path has none).
    Endpoint(usize, &'static Endpoint, &'a str),
    /// To the document of this number.
    Document(usize),
    /// To what tells whether the server lives, or is ready.
    Probe(Probe),
    /// To the same path with a slash at its end (`APPEND_SLASH`).
    AppendSlash(String),
    /// Nowhere.
    NotFound,
}

impl Route<'_> {
    /// Whether the documentation of an endpoint has the code with which this method of it is refused. Every test asks, as
    /// the answer itself does not say the code.
    pub(crate) fn lists<B>(&self, method: &Method, answer: &Response<B>) -> bool {
        match (self, answer.extensions().get::<Code>()) {
            (Self::Endpoint(_, endpoint, _), Some(code)) if endpoint.method.is(method) => {
                endpoint.refusals().contains(code)
            }
            _ => true,
        }
    }
}

/// Matches a percent-decoded path exactly: no folding of case, dots or slashes.
pub(crate) fn find(path: &str, login_field: LoginField) -> Route<'_> {
    match path {
        health::ALIVE => return Route::Probe(Probe::Alive),
        health::READY => return Route::Probe(Probe::Ready),
        _ => {}
    }
    // What stands in the place of others has their numbers.
    let known = || others(login_field).iter().enumerate().chain(ENDPOINTS.iter().enumerate());
    if let Some((number, (_, endpoint))) =
        known().find(|(_, (known, _))| *known == path && !path.contains('{'))
    {
        return Route::Endpoint(number, endpoint, "");
    }
    for (number, (known, endpoint)) in known() {
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
            Some("") => return Route::Document(number),
            Some("/") if !path.is_empty() => return Route::AppendSlash(format!("{path}/")),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(path: &str, login_field: LoginField) -> Vec<&'static str> {
        match find(path, login_field) {
            Route::Endpoint(_, endpoint, _) => endpoint.fields.iter().map(|field| field.name).collect(),
            _ => panic!("{path} is no endpoint"),
        }
    }

    #[test]
    fn where_users_log_in_with_their_address_no_endpoint_takes_a_username() {
        for (path, _) in ENDPOINTS {
            let path = path.replace(ARGUMENT, "a");
            let (by_name, by_email) = (fields(&path, LoginField::Username), fields(&path, LoginField::Email));
            assert!(!by_email.contains(&"username"), "{path}");
            assert_eq!(by_name == by_email, !by_name.contains(&"username"), "{path}");
        }
        assert_eq!(fields("/user/api/login/", LoginField::Email), ["email", "password"]);
        assert_eq!(fields("/user/api/register/", LoginField::Email), ["id", "email", "password"]);
    }
}
