//! `docs/errors.md`: every refusal, for those who write clients.

use std::fmt::Write;

use countersign_domain::{Attribute, FieldError};
use countersign_token::json::to_response;

use super::{Code, field_code, sentence};

/// A refusal of each kind, in the order in which they are documented.
const FIELD_ERRORS: [FieldError; 17] = [
    FieldError::Required,
    FieldError::Null,
    FieldError::Blank,
    FieldError::NotAString,
    FieldError::TooLong { max: 150 },
    FieldError::NullCharacters,
    FieldError::Surrogate(0xD800),
    FieldError::InvalidUsername,
    FieldError::UsernameTaken,
    FieldError::EmailTaken,
    FieldError::InvalidEmail,
    FieldError::AddressIsNoUsername,
    FieldError::InvalidLink,
    FieldError::TooSimilar(Attribute::Username),
    FieldError::TooShort { min: 8 },
    FieldError::TooCommon,
    FieldError::EntirelyNumeric,
];

/// The page.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(
        "# Errors\n\nEvery reason for which a request is refused. The codes do not change; the log has them as \
         `error.code`. The bodies are those of Django REST Framework and Simple JWT, which do not always have the code in \
         them: a client goes by status and body.\n\n\
         (Generated from `crates/countersign-http/src/error`.)\n\n\
         | code | status | body | cause | what to do |\n|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let body = code.example().and_then(|error| error.body());
        let body = body.map_or("a page".to_owned(), |body| format!("`{}`", to_response(&body.into(), None)));
        let (name, status) = (code.name(), code.status().as_u16());
        let _ = writeln!(text, "| `{name}` | {status} | {body} | {} | {} |", code.cause(), code.remedy());
    }
    text.push_str(
        "\nWhat is not HTTP at all, or has a head of more than 64 KiB, is answered 400, 414 or 431 without a body; it has no \
         code, no metric and no line in the log.\n\
         \n## Fields\n\nWhat `invalid` says of a field: the body has a list of sentences for each field that is refused.\n\n\
         | code | sentence |\n|---|---|\n",
    );
    for error in &FIELD_ERRORS {
        let _ = writeln!(text, "| `{}` | {} |", field_code(error), sentence(error));
    }
    text
}
