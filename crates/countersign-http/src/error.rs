//! The only place where a refusal becomes a status, a code and a sentence. The words are Django REST Framework's and
//! Simple JWT's.

mod code;
mod example;
mod page;

use countersign_auth::{Error as AuthError, Evidence};
use countersign_domain::{Attribute, FieldError};
use countersign_token::json::{Object, ParseError, Value};
use countersign_token::{Kind, Refusal};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue};

use crate::csrf::CsrfFailure;
use crate::endpoint::object;
use crate::request::BodyError;
use crate::request::accept::NegotiationError;

pub(crate) use code::Code;
pub use page::page;

/// Why a request is refused by an endpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the body is not an object but {0}")]
    NotAnObject(&'static str),
    #[error("JSON parse error - {0}")]
    Json(#[from] ParseError),
    #[error("the body did not arrive")]
    BodyNotReceived,
    #[error("too many large bodies are held")]
    TooManyLargeBodies,
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
    #[error("method not allowed: {0}")]
    MethodNotAllowed(String),
    #[error("no credentials")]
    NotAuthenticated,
    #[error("the authorization header is not two words")]
    BadAuthorizationHeader,
    #[error("CSRF Failed: {0}")]
    Csrf(#[from] CsrfFailure),
    #[error("a proxy asks for what there is not")]
    BadRequirement,
}

/// Seconds after which a client that met an overloaded or unavailable server may try again.
pub(crate) const RETRY_AFTER_SECS: u32 = 2;

impl Error {
    /// Which reason it is.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Auth(error) => auth_code(error),
            Self::Body(BodyError::OverLimit(_)) | Self::BodyNotReceived => Code::BadRequest,
            Self::Body(BodyError::UnsupportedMediaType(_)) => Code::UnsupportedMediaType,
            Self::Body(_) | Self::Json(_) => Code::ParseError,
            Self::NotAnObject("NoneType") => Code::NoData,
            Self::NotAnObject(_) => Code::NotAnObject,
            Self::TooManyLargeBodies => Code::ServiceUnavailable,
            Self::Negotiation(NegotiationError::NotAcceptable) => Code::NotAcceptable,
            Self::Negotiation(NegotiationError::UnknownFormat) => Code::UnknownFormat,
            Self::MethodNotAllowed(_) => Code::MethodNotAllowed,
            Self::NotAuthenticated => Code::NotAuthenticated,
            Self::BadAuthorizationHeader => Code::BadAuthorizationHeader,
            Self::Csrf(_) => Code::CsrfFailed,
            Self::BadRequirement => Code::BadRequirement,
        }
    }

    /// The body that the client gets; `None` for Django's page for bad requests.
    pub(crate) fn body(&self) -> Option<Object> {
        Some(match self {
            Self::Auth(error) => auth_body(error),
            Self::Body(BodyError::OverLimit(_)) | Self::BodyNotReceived => return None,
            Self::NotAnObject("NoneType") => non_field("No data provided"),
            Self::NotAnObject(kind) => {
                non_field(&format!("Invalid data. Expected a dictionary, but got {kind}."))
            }
            Self::TooManyLargeBodies => unavailable(),
            Self::Body(_) | Self::Json(_) | Self::Negotiation(_) | Self::Csrf(_) => detail(&self.to_string()),
            Self::MethodNotAllowed(method) => detail(&format!("Method \"{method}\" not allowed.")),
            Self::NotAuthenticated => detail("Authentication credentials were not provided."),
            Self::BadRequirement => {
                detail("Ask for group, permission, staff or superuser, each once and not empty.")
            }
            Self::BadAuthorizationHeader => coded(
                "Authorization header must contain two space-delimited values",
                "bad_authorization_header",
            ),
        })
    }

    /// Headers of the answer beside those of every one.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Self::Auth(AuthError::Throttled { wait_secs }) => vec![(RETRY_AFTER, (*wait_secs).into())],
            _ => Vec::new(),
        }
    }

    /// Why the request is refused, for the operator who asks: names and values, and nothing that a client sent but the names
    /// of fields.
    pub(crate) fn why(&self, evidence: &Evidence) -> Vec<(String, String)> {
        let mut evidence = evidence.clone();
        let mut why = Vec::new();
        if let Self::Auth(error) = self {
            evidence.rule.get_or_insert(error.rule());
            if let AuthError::Fields(fields) = error {
                why.push(("fields".to_owned(), refused_fields(fields)));
            }
        }
        why.extend(evidence.details());
        why
    }

    /// Tells the operator, where it is the operator's to know.
    pub(crate) fn log(&self) {
        match self {
            Self::Auth(AuthError::Store(error)) => tracing::error!(%error, "a request could not be served"),
            // Anybody may bring these about as often as they like, so that they are no line of a log that is kept.
            Self::Auth(
                AuthError::Throttled { .. }
                | AuthError::Overloaded
                | AuthError::OutboxFull
                | AuthError::KeysOutOfReach(_),
            )
            | Self::TooManyLargeBodies => {
                tracing::debug!(reason = %self, "a request was turned away");
            }
            _ => {}
        }
    }
}

/// Each with the codes of its errors.
fn refused_fields(fields: &[(&'static str, Vec<FieldError>)]) -> String {
    let codes = |errors: &[FieldError]| errors.iter().map(field_code).collect::<Vec<_>>().join(", ");
    fields.iter().map(|(name, errors)| format!("{name}: {}", codes(errors))).collect::<Vec<_>>().join("; ")
}

fn auth_code(error: &AuthError) -> Code {
    match error {
        AuthError::Fields(_) => Code::Invalid,
        AuthError::NoActiveAccount => Code::NoActiveAccount,
        AuthError::NoActiveAccountForToken => Code::NoActiveAccountForToken,
        AuthError::Token(_) | AuthError::RefreshTokenReused => Code::TokenNotValid,
        AuthError::VerifiedTokenBlacklisted => Code::TokenBlacklisted,
        AuthError::BearerToken(_) => Code::BearerTokenNotValid,
        AuthError::NoUserIdentification => Code::NoUserIdentification,
        AuthError::UserNotFound => Code::UserNotFound,
        AuthError::UserInactive => Code::UserInactive,
        AuthError::PasswordChanged => Code::PasswordChanged,
        AuthError::PermissionDenied => Code::PermissionDenied,
        AuthError::NoSession => Code::NoSession,
        AuthError::SessionNotFound => Code::SessionNotFound,
        AuthError::Throttled { .. } => Code::Throttled,
        AuthError::Overloaded
        | AuthError::OutboxFull
        | AuthError::KeysOutOfReach(_)
        | AuthError::Store(_) => Code::ServiceUnavailable,
    }
}

fn auth_body(error: &AuthError) -> Object {
    match error {
        AuthError::Fields(fields) => object(fields.iter().map(|(name, errors)| (*name, messages(errors)))),
        AuthError::NoActiveAccount => detail("No active account found with the given credentials"),
        AuthError::NoActiveAccountForToken => detail("No active account found for the given token."),
        AuthError::Token(_) | AuthError::RefreshTokenReused => coded(&error.to_string(), "token_not_valid"),
        AuthError::VerifiedTokenBlacklisted => non_field(&Refusal::Blacklisted.to_string()),
        AuthError::BearerToken(refusals) => bearer_body(refusals),
        AuthError::NoUserIdentification => {
            coded("Token contained no recognizable user identification", "token_not_valid")
        }
        AuthError::UserNotFound => coded("User not found", "user_not_found"),
        AuthError::UserInactive => coded("User is inactive", "user_inactive"),
        AuthError::PasswordChanged => coded("The user's password has been changed.", "password_changed"),
        AuthError::PermissionDenied => detail("You do not have permission to perform this action."),
        AuthError::NoSession => {
            detail("This token belongs to no session. Blacklist its refresh token to log out.")
        }
        AuthError::SessionNotFound => detail("Not found."),
        AuthError::Throttled { wait_secs } => detail(&throttled(*wait_secs)),
        AuthError::Overloaded
        | AuthError::OutboxFull
        | AuthError::KeysOutOfReach(_)
        | AuthError::Store(_) => unavailable(),
    }
}

fn throttled(wait_secs: u64) -> String {
    let plural = if wait_secs == 1 { "" } else { "s" };
    format!("Request was throttled. Expected available in {wait_secs} second{plural}.")
}

fn unavailable() -> Object {
    detail("Service temporarily unavailable, try again later.")
}

fn bearer_body(refusals: &[(Kind, Refusal)]) -> Object {
    let tried = refusals.iter().map(|(kind, refusal)| {
        let members = [
            ("token_class", kind.class_name().into()),
            ("token_type", kind.name().into()),
            ("message", refusal.to_string().into()),
        ];
        object(members).into()
    });
    object([
        ("detail", "Given token not valid for any token type".into()),
        ("code", "token_not_valid".into()),
        ("messages", Value::Array(tried.collect())),
    ])
}

fn detail(sentence: &str) -> Object {
    object([("detail", sentence.into())])
}

fn coded(sentence: &str, code: &str) -> Object {
    object([("detail", sentence.into()), ("code", code.into())])
}

fn non_field(sentence: &str) -> Object {
    object([("non_field_errors", Value::Array(vec![sentence.into()]))])
}

fn messages(errors: &[FieldError]) -> Value {
    Value::Array(errors.iter().map(|error| sentence(error).into()).collect())
}

/// What brings a refusal about, by its code.
#[must_use]
pub fn cause_of(code: &str) -> Option<&'static str> {
    Code::ALL.iter().find(|known| known.name() == code).map(|known| known.cause())
}

/// What a client is told about a field.
#[must_use]
pub fn sentence(error: &FieldError) -> String {
    match error {
        FieldError::Required => "This field is required.".to_owned(),
        FieldError::Null => "This field may not be null.".to_owned(),
        FieldError::Blank => "This field may not be blank.".to_owned(),
        FieldError::NotAString => "Not a valid string.".to_owned(),
        FieldError::InvalidEmail => "Enter a valid email address.".to_owned(),
        FieldError::InvalidUsername => {
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."
                .to_owned()
        }
        FieldError::AddressIsNoUsername => {
            "Enter an email address of letters, numbers, and @/./+/-/_ characters only.".to_owned()
        }
        FieldError::InvalidLink => {
            "This link is invalid, possibly because it has been used or has expired. Ask for a new one."
                .to_owned()
        }
        FieldError::UsernameTaken => "A user with that username already exists.".to_owned(),
        FieldError::EmailTaken => "user with this email address already exists.".to_owned(),
        FieldError::TooLong { max } => format!("Ensure this field has no more than {max} characters."),
        FieldError::NullCharacters => "Null characters are not allowed.".to_owned(),
        FieldError::Surrogate(unit) => format!("Surrogate characters are not allowed: U+{unit:X}."),
        FieldError::TooSimilar(attribute) => {
            format!("The password is too similar to the {}.", attribute_name(*attribute))
        }
        FieldError::TooShort { min } => too_short(*min),
        FieldError::TooCommon => "This password is too common.".to_owned(),
        FieldError::EntirelyNumeric => "This password is entirely numeric.".to_owned(),
    }
}

fn too_short(min: usize) -> String {
    let plural = if min == 1 { "" } else { "s" };
    format!("This password is too short. It must contain at least {min} character{plural}.")
}

fn attribute_name(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::Username => "username",
        Attribute::FirstName => "first name",
        Attribute::LastName => "last name",
        Attribute::Email => "email address",
    }
}

/// The code of a refused field; Django's and Django REST Framework's own.
fn field_code(error: &FieldError) -> &'static str {
    match error {
        FieldError::Required => "required",
        FieldError::Null => "null",
        FieldError::Blank => "blank",
        FieldError::NotAString
        | FieldError::InvalidEmail
        | FieldError::InvalidUsername
        | FieldError::AddressIsNoUsername
        | FieldError::InvalidLink => "invalid",
        FieldError::UsernameTaken | FieldError::EmailTaken => "unique",
        FieldError::TooLong { .. } => "max_length",
        FieldError::NullCharacters => "null_characters_not_allowed",
        FieldError::Surrogate(_) => "surrogate_characters_not_allowed",
        FieldError::TooSimilar(_) => "password_too_similar",
        FieldError::TooShort { .. } => "password_too_short",
        FieldError::TooCommon => "password_too_common",
        FieldError::EntirelyNumeric => "password_entirely_numeric",
    }
}
