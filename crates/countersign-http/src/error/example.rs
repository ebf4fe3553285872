//! An error of each code, for the documentation: its body is what clients get.

use countersign_auth::Error as AuthError;
use countersign_domain::FieldError;
use countersign_token::{Kind, Refusal};

use super::{Code, Error};
use crate::csrf::CsrfFailure;
use crate::request::BodyError;
use crate::request::accept::NegotiationError;

impl Code {
    /// An error with this code; `None` where the answer is a page.
    pub(crate) fn example(self) -> Option<Error> {
        Some(match self {
            Self::Invalid => AuthError::Fields(vec![("password", vec![FieldError::Required])]).into(),
            Self::NoActiveAccount => AuthError::NoActiveAccount.into(),
            Self::NoActiveAccountForToken => AuthError::NoActiveAccountForToken.into(),
            Self::TokenNotValid => AuthError::Token(Refusal::Expired).into(),
            Self::TokenBlacklisted => AuthError::VerifiedTokenBlacklisted.into(),
            Self::NotAuthenticated => Error::NotAuthenticated,
            Self::BadAuthorizationHeader => Error::BadAuthorizationHeader,
            Self::BearerTokenNotValid => {
                AuthError::BearerToken(vec![(Kind::Access, Refusal::Expired)]).into()
            }
            Self::NoUserIdentification => AuthError::NoUserIdentification.into(),
            Self::UserNotFound => AuthError::UserNotFound.into(),
            Self::UserInactive => AuthError::UserInactive.into(),
            Self::PasswordChanged => AuthError::PasswordChanged.into(),
            Self::PermissionDenied => AuthError::PermissionDenied.into(),
            Self::CsrfFailed => CsrfFailure::TokenMissing.into(),
            Self::BadRequirement => Error::BadRequirement,
            Self::NoSession => AuthError::NoSession.into(),
            Self::SessionNotFound => AuthError::SessionNotFound.into(),
            Self::NoData => Error::NotAnObject("NoneType"),
            Self::NotAnObject => Error::NotAnObject("list"),
            Self::ParseError => match countersign_token::json::parse("") {
                Err(error) => error.into(),
                Ok(_) => return None,
            },
            Self::UnsupportedMediaType => BodyError::UnsupportedMediaType("text/plain".to_owned()).into(),
            Self::NotAcceptable => NegotiationError::NotAcceptable.into(),
            Self::UnknownFormat => NegotiationError::UnknownFormat.into(),
            Self::MethodNotAllowed => Error::MethodNotAllowed("PUT".to_owned()),
            Self::Throttled => AuthError::Throttled { wait_secs: 20 }.into(),
            Self::ServiceUnavailable => AuthError::Overloaded.into(),
            Self::ServerError
            | Self::NoPlace
            | Self::BadRequest
            | Self::NotFound
            | Self::DisallowedHost
            | Self::MalformedRequest
            | Self::RequestLineTooLong
            | Self::HeaderTooLong
            | Self::ExpectationFailed => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_example_is_an_error_of_its_code() {
        for &code in Code::ALL {
            let found = code.example().map(|error| error.code());
            assert!(found.is_none_or(|found| found == code), "{code:?}: {found:?}");
        }
    }

    #[test]
    fn no_two_reasons_have_one_name() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn what_is_answered_with_a_page_says_so() {
        for code in Code::ALL {
            let has_body = code.example().is_some_and(|error| error.body().is_some());
            assert_eq!(has_body, !code.cause().ends_with("A page, not JSON."), "{code:?}");
        }
    }
}
