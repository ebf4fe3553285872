//! `POST /user/api/token/refresh/` and `/user/api/token/refresh/sliding/`: a new token for one that is still good.

use countersign_auth::{Refreshed, Submitted};
use countersign_domain::{FieldError, RawText};
use http::StatusCode;

use crate::cookies::Kept;
use crate::csrf::CsrfFailure;
use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::{Code, Error};
use crate::login::SLIDING_TOKEN;
use crate::operation::{EXAMPLE_TOKEN, Group, Kind, Member, Operation, Shape};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Token Refresh",
    description: "Takes a refresh type JSON web token and returns an access type JSON web\n\
                  token if the refresh token is valid.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    asked_by: AskedBy::Client,
    fields: &[
        Field::text("refresh", "Refresh", EXAMPLE_TOKEN),
        Field { required: false, read_only: true, ..Field::text("access", "Access", EXAMPLE_TOKEN) },
    ],
    operation: Operation {
        group: Group::Tokens,
        summary: "An access token for a refresh token",
        details: "With `ROTATE_REFRESH_TOKENS` the answer has a new refresh token too; with `BLACKLIST_AFTER_ROTATION` \
                  the old one ends. Tabs that race, and a retry after a lost answer, get the same successor. With \
                  `TOKEN_COOKIES` the refresh token may come in its cookie; then the answer sets cookies, and its body has a \
                  `csrf_token` in place of the tokens.",
        status: StatusCode::OK,
        body: Shape::Object(&[
            Member::new("access", Kind::Token, "For protected endpoints."),
            Member {
                is_always_there: false,
                ..Member::new(
                    "refresh",
                    Kind::Token,
                    "Only with `ROTATE_REFRESH_TOKENS`: replaces the one sent.",
                )
            },
        ]),
        refusals: &[Code::TokenNotValid, Code::NoActiveAccountForToken, Code::Throttled, Code::CsrfFailed],
        query: &[],
    },
    handle: |call| Box::pin(refresh(call)),
};

pub(crate) const SLIDING_ENDPOINT: Endpoint = Endpoint {
    name: "Token Refresh Sliding",
    description: "Takes a sliding JSON web token and returns a new, refreshed version if the\n\
                  token's refresh period has not expired.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    asked_by: AskedBy::Client,
    fields: &[Field::text("token", "Token", EXAMPLE_TOKEN)],
    operation: Operation {
        group: Group::Tokens,
        summary: "A later sliding token for a sliding token",
        details: "",
        status: StatusCode::OK,
        body: SLIDING_TOKEN,
        refusals: &[Code::TokenNotValid, Code::Throttled],
        query: &[],
    },
    handle: |call| Box::pin(refresh_sliding(call)),
};

async fn refresh(call: Call<'_>) -> Result<Answer, Error> {
    let submitted = call.field("refresh");
    if let (Err(FieldError::Required), Some(token)) = (&submitted, call.cookies.refresh()) {
        let refreshed = refresh_cookie(&call, token).await;
        if refreshed.as_ref().is_err_and(|error| error.code().status() == StatusCode::UNAUTHORIZED) {
            call.cookies.forget();
        }
        return refreshed;
    }
    let refreshed = exchange(&call, submitted).await?;
    let mut body = object([("access", refreshed.access.into())]);
    if let Some(successor) = refreshed.refresh {
        body.insert("refresh", successor);
    }
    Ok(Answer::with_tokens(body.into()))
}

/// The same by cookies alone. A refresh token that somebody else put there, which those can who have another name of our
/// domain, is of another session than the page's CSRF token.
async fn refresh_cookie(call: &Call<'_>, token: &str) -> Result<Answer, Error> {
    call.cookies.check_sender()?;
    let session = call.auth.session_of(token, call.origin).await?.ok_or(CsrfFailure::TokenIncorrect)?;
    call.cookies.check_page(call.auth, Some(&session))?;
    let refreshed = exchange(call, Ok(RawText::from_parts(token.to_owned(), None))).await?;
    let csrf = call.auth.csrf_token(&session);
    let successor = refreshed.refresh.as_deref().map(|successor| (successor, csrf.as_str()));
    call.cookies.keep(&Kept { access: &refreshed.access, session: successor });
    Ok(Answer::with_tokens(object([("csrf_token", csrf.as_str().into())]).into()))
}

async fn exchange(call: &Call<'_>, token: Submitted) -> Result<Refreshed, Error> {
    let refreshed = call.auth.refresh(token, call.origin).await?;
    call.seen.is_of(refreshed.user);
    Ok(refreshed)
}

async fn refresh_sliding(call: Call<'_>) -> Result<Answer, Error> {
    let refreshed = call.auth.refresh_sliding(call.field("token"), call.origin).await?;
    call.seen.is_of(refreshed.user);
    Ok(Answer::with_tokens(object([("token", refreshed.access.into())]).into()))
}
