//! Every path of the wire, on one page.

use countersign_domain::LoginField;
use http::{Method, Response};

use crate::document::Document;
use crate::endpoint::Endpoint;
use crate::error::Code;
use crate::health::{self, Probe};
use crate::{
    blacklist, docs, forward_auth, front_page, jwks, login, logout, me, refresh, register, register_confirm,
    sessions, verify,
};

/// What stands for the part of a path that is the endpoint's argument: letters and digits.
pub(crate) const ARGUMENT: &str = "{id}";

/// The API.
pub(crate) const ENDPOINTS: [(&str, &Endpoint); 14] = [
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
    (register_confirm::PATH, &register_confirm::ENDPOINT),
];

/// Which of the endpoints are served, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// What users log in with.
    pub login_field: LoginField,
    /// Whether accounts are made by mail alone.
    pub registers_by_mail: bool,
}

/// What is no endpoint of the API.
pub(crate) const DOCUMENTS: [&Document; 8] = {
    let [page, style, script, swagger_style, swagger] = &docs::PAGES;
    [&front_page::DOCUMENT, &jwks::DOCUMENT, &docs::OPENAPI, page, style, script, swagger_style, swagger]
};

/// What stands in their place where users log in with their e-mail address. (Others have the numbers of those in whose place
/// they stand.)
const BY_EMAIL: [(&str, &Endpoint); 3] = [
    ("/user/api/register/", &register::BY_EMAIL),
    ("/user/api/login/", &login::BY_EMAIL),
    ("/user/api/login/sliding/", &login::SLIDING_BY_EMAIL),
];

/// The same, where accounts are made by mail.
const BY_EMAIL_AND_BY_MAIL: [(&str, &Endpoint); 3] = {
    let [_, login, sliding] = BY_EMAIL;
    [("/user/api/register/", &register::BY_MAIL), login, sliding]
};

/// Where accounts are made by mail.
const BY_MAIL: [(&str, &Endpoint); 1] = [("/user/api/register/", &register::BY_MAIL)];

/// The API, as it is served.
pub(crate) fn endpoints(served: Served) -> impl Iterator<Item = (&'static str, &'static Endpoint)> {
    let others = others(served);
    let is_served = move |named: &&(&'static str, _)| is_served(named.0, served);
    let all = ENDPOINTS.iter().filter(is_served);
    all.map(move |named| *others.iter().find(|(path, _)| *path == named.0).unwrap_or(named))
}

fn is_served(path: &str, served: Served) -> bool {
    path != register_confirm::PATH || served.registers_by_mail
}

/// Those that stand in the place of others.
fn others(served: Served) -> &'static [(&'static str, &'static Endpoint)] {
    match (served.login_field, served.registers_by_mail) {
        (LoginField::Username, false) => &[],
        (LoginField::Username, true) => &BY_MAIL,
        (LoginField::Email, false) => &BY_EMAIL,
        (LoginField::Email, true) => &BY_EMAIL_AND_BY_MAIL,
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
pub(crate) fn find(path: &str, served: Served) -> Route<'_> {
    match path {
        health::ALIVE => return Route::Probe(Probe::Alive),
        health::READY => return Route::Probe(Probe::Ready),
        _ => {}
    }
    // What stands in the place of others has their numbers.
    let all = || ENDPOINTS.iter().enumerate().filter(|(_, (path, _))| is_served(path, served));
    let known = || others(served).iter().enumerate().chain(all());
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

    fn served(login_field: LoginField, registers_by_mail: bool) -> Served {
        Served { login_field, registers_by_mail }
    }

    fn fields(path: &str, served: Served) -> Vec<&'static str> {
        match find(path, served) {
            Route::Endpoint(_, endpoint, _) => endpoint.fields.iter().map(|field| field.name).collect(),
            _ => panic!("{path} is no endpoint"),
        }
    }

    #[test]
    fn where_users_log_in_with_their_address_no_endpoint_takes_a_username() {
        let (names, addresses) = (served(LoginField::Username, false), served(LoginField::Email, false));
        for (path, _) in endpoints(names) {
            let path = path.replace(ARGUMENT, "a");
            let (by_name, by_email) = (fields(&path, names), fields(&path, addresses));
            assert!(!by_email.contains(&"username"), "{path}");
            assert_eq!(by_name == by_email, !by_name.contains(&"username"), "{path}");
        }
        assert_eq!(fields("/user/api/login/", addresses), ["email", "password"]);
        assert_eq!(fields("/user/api/register/", addresses), ["id", "email", "password"]);
    }

    #[test]
    fn where_accounts_are_made_by_mail_an_address_is_all_that_is_taken_and_a_link_is_confirmed() {
        for login_field in [LoginField::Username, LoginField::Email] {
            let by_mail = served(login_field, true);
            assert_eq!(fields("/user/api/register/", by_mail), ["email"]);
            assert_eq!(fields(register_confirm::PATH, by_mail), ["token", "password"]);
            let others = [login_field.name(), "password"];
            assert_eq!(fields("/user/api/login/", by_mail), others);
            let at_once = served(login_field, false);
            for path in [register_confirm::PATH, register_confirm::PATH.trim_end_matches('/')] {
                assert!(matches!(find(path, at_once), Route::NotFound), "{path}");
            }
            assert!(!endpoints(at_once).any(|(path, _)| path == register_confirm::PATH));
        }
    }

    #[test]
    fn what_stands_in_the_place_of_another_has_its_number() {
        for (path, _) in BY_EMAIL.iter().chain(&BY_EMAIL_AND_BY_MAIL).chain(&BY_MAIL) {
            let number = |served| match find(path, served) {
                Route::Endpoint(number, ..) => number,
                _ => panic!("{path} is no endpoint"),
            };
            let numbers = [
                served(LoginField::Username, false),
                served(LoginField::Username, true),
                served(LoginField::Email, false),
                served(LoginField::Email, true),
            ]
            .map(number);
            assert_eq!(numbers, [numbers[0]; 4], "{path}");
        }
    }
}
