//! The only place where a refusal becomes a status, a code and a sentence. The words are Django REST Framework's and
//! Simple JWT's.

use countersign_auth::Error as AuthError;
use countersign_domain::{Attribute, FieldError};
use countersign_token::json::{ParseError, Value};
use countersign_token::{Kind, Refusal};
use http::StatusCode;

use crate::endpoint::{Answer, object};
use crate::request::BodyError;
use crate::request::accept::NegotiationError;

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
}

/// Seconds after which a client that met an overloaded or unavailable server may try again.
pub(crate) const RETRY_AFTER_SECS: u32 = 2;

/// What the client is told, and whether in an endpoint's JSON or on Django's page for bad requests.
pub(crate) enum Refused {
    Answer(Answer),
    BadRequestPage,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let answer = match error {
            Error::Auth(error) => auth_answer(error),
            Error::Body(BodyError::OverLimit(_)) | Error::BodyNotReceived => return Self::BadRequestPage,
            Error::Body(BodyError::UnsupportedMediaType(_)) => {
                detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error.to_string())
            }
            Error::Body(_) | Error::Json(_) => detail(StatusCode::BAD_REQUEST, &error.to_string()),
            Error::NotAnObject("NoneType") => non_field("No data provided"),
            Error::NotAnObject(kind) => {
                non_field(&format!("Invalid data. Expected a dictionary, but got {kind}."))
            }
            Error::TooManyLargeBodies => overloaded(&error),
            Error::Negotiation(NegotiationError::NotAcceptable) => {
                detail(StatusCode::NOT_ACCEPTABLE, &error.to_string())
            }
            Error::Negotiation(NegotiationError::UnknownFormat) => {
                detail(StatusCode::NOT_FOUND, &error.to_string())
            }
            Error::MethodNotAllowed(method) => {
                detail(StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{method}\" not allowed."))
            }
            Error::NotAuthenticated => {
                detail(StatusCode::UNAUTHORIZED, "Authentication credentials were not provided.")
            }
            Error::BadAuthorizationHeader => coded(
                "Authorization header must contain two space-delimited values",
                "bad_authorization_header",
            ),
        };
        Self::Answer(answer)
    }
}

fn auth_answer(error: AuthError) -> Answer {
    match error {
        AuthError::Fields(fields) => {
            let members = fields.iter().map(|(name, errors)| (*name, messages(errors)));
            Answer { status: StatusCode::BAD_REQUEST, body: object(members).into() }
        }
        AuthError::NoActiveAccount => {
            detail(StatusCode::UNAUTHORIZED, "No active account found with the given credentials")
        }
        AuthError::NoActiveAccountForToken => {
            detail(StatusCode::UNAUTHORIZED, "No active account found for the given token.")
        }
        AuthError::Token(refusal) => coded(&refusal.to_string(), "token_not_valid"),
        AuthError::VerifiedTokenBlacklisted => non_field(&Refusal::Blacklisted.to_string()),
        AuthError::BearerToken(refusals) => bearer_answer(&refusals),
        AuthError::NoUserIdentification => {
            coded("Token contained no recognizable user identification", "token_not_valid")
        }
        AuthError::UserNotFound => coded("User not found", "user_not_found"),
        AuthError::UserInactive => coded("User is inactive", "user_inactive"),
        AuthError::PasswordChanged => coded("The user's password has been changed.", "password_changed"),
        AuthError::NoSession => detail(
            StatusCode::BAD_REQUEST,
            "This token belongs to no session. Blacklist its refresh token to log out.",
        ),
        AuthError::SessionNotFound => detail(StatusCode::NOT_FOUND, "Not found."),
        AuthError::Overloaded | AuthError::KeysOutOfReach(_) => overloaded(&error),
        AuthError::Store(_) => {
            tracing::error!(%error, "a request could not be served");
            unavailable()
        }
    }
}

/// Anybody may bring this about as often as they like, so that it is no line of a log that is kept.
fn overloaded(reason: &dyn std::error::Error) -> Answer {
    tracing::debug!(%reason, "a request was turned away");
    unavailable()
}

fn unavailable() -> Answer {
    detail(StatusCode::SERVICE_UNAVAILABLE, "Service temporarily unavailable, try again later.")
}

fn bearer_answer(refusals: &[(Kind, Refusal)]) -> Answer {
    let tried = refusals.iter().map(|(kind, refusal)| {
        let members = [
            ("token_class", kind.class_name().into()),
            ("token_type", kind.name().into()),
            ("message", refusal.to_string().into()),
        ];
        object(members).into()
    });
    let body = object([
        ("detail", "Given token not valid for any token type".into()),
        ("code", "token_not_valid".into()),
        ("messages", Value::Array(tried.collect())),
    ]);
    Answer { status: StatusCode::UNAUTHORIZED, body: body.into() }
}

fn detail(status: StatusCode, sentence: &str) -> Answer {
    Answer { status, body: object([("detail", sentence.into())]).into() }
}

fn coded(sentence: &str, code: &str) -> Answer {
    let body = object([("detail", sentence.into()), ("code", code.into())]);
    Answer { status: StatusCode::UNAUTHORIZED, body: body.into() }
}

fn non_field(sentence: &str) -> Answer {
    let body = object([("non_field_errors", Value::Array(vec![sentence.into()]))]);
    Answer { status: StatusCode::BAD_REQUEST, body: body.into() }
}

fn messages(errors: &[FieldError]) -> Value {
    Value::Array(errors.iter().map(|error| sentence(error).into()).collect())
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
