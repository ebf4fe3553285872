//! `POST /user/api/login/` and `/user/api/login/sliding/`: tokens for a name and a password.

use countersign_auth::{KnownDevice, LoginOutcome};
use http::StatusCode;
use http::header::SET_COOKIE;

use crate::cookies::Kept;
use crate::csrf::{CsrfFailure, Sender};
use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::{Code, Error};
use crate::known_device;
use crate::operation::{Asked, Group, Kind, Member, Operation, Shape};

const CREDENTIALS: &[Field] =
    &[Field::text("username", "Username", "ada"), Field::text("password", "Password", "correct-horse-7")];
const CREDENTIALS_BY_EMAIL: &[Field] = &[
    Field::text("email", "Email", "ada@example.com"),
    Field::text("password", "Password", "correct-horse-7"),
];

pub(crate) const SLIDING_TOKEN: Shape =
    Shape::Object(&[Member::new("token", Kind::Token, "Access and refresh token in one.")]);

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Login",
    description: "",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    asked_by: AskedBy::Client,
    fields: CREDENTIALS,
    operation: Operation {
        group: Group::Accounts,
        summary: "Tokens for a name and a password",
        details: "Begins a session. A cookie (`__Secure-countersign_device_…`) marks a device that has logged in: with it, or its value in the \
                  header `X-Known-Device`, the next login is not slowed down by guesses of others. With `TOKEN_COOKIES` a \
                  browser gets cookies, and the body has a `csrf_token` in place of the tokens.",
        status: StatusCode::OK,
        body: Shape::Object(&[
            Member::new("refresh", Kind::Token, "For `token/refresh/`. Keep it safe."),
            Member::new("access", Kind::Token, "For protected endpoints. Good for a few minutes."),
        ]),
        refusals: &[Code::NoActiveAccount, Code::Throttled, Code::CsrfFailed],
        query: &[Asked::flag(
            "bearer",
            "With `TOKEN_COOKIES`: the tokens in the body all the same, and no cookies.",
        )],
    },
    handle: |call| Box::pin(log_in(call)),
};

pub(crate) const SLIDING_ENDPOINT: Endpoint = Endpoint {
    name: "Token Obtain Sliding",
    description: "Takes a set of user credentials and returns a sliding JSON web token to\n\
                  prove the authentication of those credentials.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    asked_by: AskedBy::Client,
    fields: CREDENTIALS,
    operation: Operation {
        group: Group::Accounts,
        summary: "A sliding token for a name and a password",
        details: "A sliding token is both access and refresh token; `AUTH_TOKEN_CLASSES` has to accept it.",
        status: StatusCode::OK,
        body: SLIDING_TOKEN,
        refusals: &[Code::NoActiveAccount, Code::Throttled],
        query: &[],
    },
    handle: |call| Box::pin(log_in_sliding(call)),
};

/// Where users log in with their e-mail address.
pub(crate) const BY_EMAIL: Endpoint = Endpoint { fields: CREDENTIALS_BY_EMAIL, ..ENDPOINT };

/// Where users log in with their e-mail address.
pub(crate) const SLIDING_BY_EMAIL: Endpoint = Endpoint { fields: CREDENTIALS_BY_EMAIL, ..SLIDING_ENDPOINT };

async fn log_in(call: Call<'_>) -> Result<Answer, Error> {
    let wants_cookies = wants_cookies(&call)?;
    let (username, password) = (call.field(call.auth.login_field().name()), call.field("password"));
    let LoginOutcome::Done(pair) = call
        .auth
        .log_in(username, password, call.origin, &known_device::presented(call.cookies.headers))
        .await?;
    call.seen.is_of(pair.user);
    if wants_cookies && let Some(session) = call.auth.session_of(&pair.refresh, call.origin).await? {
        let csrf = call.auth.csrf_token(&session);
        call.cookies.keep(&Kept { access: &pair.access, session: Some((&pair.refresh, &csrf)) });
        let answer = Answer::with_tokens(object([("csrf_token", csrf.into())]).into());
        return Ok(with_cookie(answer, pair.known_device.as_ref(), &call));
    }
    let body = object([("refresh", pair.refresh.into()), ("access", pair.access.into())]);
    Ok(with_cookie(Answer::with_tokens(body.into()), pair.known_device.as_ref(), &call))
}

/// Whether the tokens go into cookies, where no script can get hold of them. Only one of our pages may have a browser log
/// in so: another could make it somebody else's.
fn wants_cookies(call: &Call<'_>) -> Result<bool, Error> {
    if call.cookies.settings.is_none() || call.is_asked("bearer") {
        return Ok(false);
    }
    match call.cookies.sender() {
        Sender::OurPage => Ok(true),
        Sender::OtherPage(origin) => Err(CsrfFailure::Origin(origin).into()),
        Sender::NoBrowser => Ok(false),
    }
}

async fn log_in_sliding(call: Call<'_>) -> Result<Answer, Error> {
    let (username, password) = (call.field(call.auth.login_field().name()), call.field("password"));
    let LoginOutcome::Done(sliding) = call
        .auth
        .log_in_sliding(username, password, call.origin, &known_device::presented(call.cookies.headers))
        .await?;
    call.seen.is_of(sliding.user);
    let answer = Answer::with_tokens(object([("token", sliding.token.into())]).into());
    Ok(with_cookie(answer, sliding.known_device.as_ref(), &call))
}

/// Has the device send its mark with the next login. Another's page, also a neighbour's under the same domain, could log in
/// as somebody else to take the mark away.
fn with_cookie(mut answer: Answer, device: Option<&KnownDevice>, call: &Call<'_>) -> Answer {
    if call.cookies.come_from_a_foreign_page() {
        return answer;
    }
    let cookie = device.and_then(|device| known_device::to_keep(device, call.has_secure_cookies));
    answer.headers.extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    answer
}
