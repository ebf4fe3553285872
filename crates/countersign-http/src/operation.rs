//! What an endpoint says of itself to those who read the documentation, beyond what the wire already needs.

use http::StatusCode;

use crate::endpoint::{Authentication, Endpoint, EndpointMethod};
use crate::error::Code;

/// What a token looks like.
pub(crate) const EXAMPLE_TOKEN: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJl";

/// One endpoint for its readers.
pub(crate) struct Operation {
    /// The group it is shown in.
    pub(crate) group: Group,
    /// In a few words.
    pub(crate) summary: &'static str,
    /// What the summary cannot say; Markdown.
    pub(crate) details: &'static str,
    /// The status of success.
    pub(crate) status: StatusCode,
    /// The body of success.
    pub(crate) body: Shape,
    /// Why it may refuse, beyond what [`Endpoint::refusals`] adds.
    pub(crate) refusals: &'static [Code],
    /// What its query may ask for.
    pub(crate) query: &'static [Asked],
}

/// A name in a query.
pub(crate) struct Asked {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    /// The values that it takes; any text, if there are none.
    pub(crate) values: &'static [&'static str],
}

/// Groups of endpoints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Accounts,
    Tokens,
    Sessions,
    Server,
}

/// The form of a body.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// None at all.
    Nothing,
    /// An object with these members.
    Object(&'static [Member]),
    /// A list of such objects.
    List(&'static [Member]),
}

/// A member of a body.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Markdown; may be empty where the name says it.
    pub(crate) meaning: &'static str,
    pub(crate) is_always_there: bool,
}

/// What a member holds, with an example.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Integer(i64),
    Boolean(bool),
    Text(&'static str),
    TextOrNull(&'static str),
    /// RFC 3339, in UTC.
    Time(&'static str),
    /// A JSON web token.
    Token,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Accounts, Self::Tokens, Self::Sessions, Self::Server];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Tokens => "tokens",
            Self::Sessions => "sessions",
            Self::Server => "server",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Accounts => "Register, log in, and see whose token it is.",
            Self::Tokens => "Refresh, verify and blacklist tokens, as Simple JWT does.",
            Self::Sessions => "See where a user is logged in, and end that.",
            Self::Server => "The server itself.",
        }
    }
}

impl Asked {
    /// One that is there or not: `?name`.
    pub(crate) const fn flag(name: &'static str, meaning: &'static str) -> Self {
        Self { name, meaning, values: &["", "1", "0"] }
    }
}

impl Member {
    /// One that is always there.
    pub(crate) const fn new(name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self { name, kind, meaning, is_always_there: true }
    }
}

/// What every request can meet.
const ANY: [Code; 8] = [
    Code::BadRequest,
    Code::MalformedRequest,
    Code::RequestLineTooLong,
    Code::ExpectationFailed,
    Code::HeaderTooLong,
    Code::ServiceUnavailable,
    Code::ServerError,
    Code::NoPlace,
];
/// What a request can meet that comes from a client, and no proxy.
const CLIENT: [Code; 3] = [Code::DisallowedHost, Code::UnknownFormat, Code::NotAcceptable];
/// What a request with a body can meet.
const BODY: [Code; 5] =
    [Code::Invalid, Code::NoData, Code::NotAnObject, Code::ParseError, Code::UnsupportedMediaType];
/// What a request with a bearer token can meet.
const BEARER: [Code; 6] = [
    Code::BadAuthorizationHeader,
    Code::BearerTokenNotValid,
    Code::NoUserIdentification,
    Code::UserNotFound,
    Code::UserInactive,
    Code::PasswordChanged,
];

impl Endpoint {
    /// Every code with which it may refuse a request of its method.
    pub(crate) fn refusals(&self) -> Vec<Code> {
        let mut codes = Vec::new();
        if !self.fields.is_empty() {
            codes.extend(BODY);
        }
        if self.authentication == Authentication::Required {
            codes.push(Code::NotAuthenticated);
        }
        if self.authentication != Authentication::Ignored {
            codes.extend(BEARER);
        }
        if self.authentication == Authentication::Required && self.method != EndpointMethod::Get {
            codes.push(Code::CsrfFailed);
        }
        codes.extend(self.operation.refusals);
        if self.negotiates() {
            codes.extend(CLIENT);
        }
        codes.extend(ANY);
        codes
    }
}
