//! `POST /user/api/register/`: an account for a name, an optional e-mail address and a password.

use http::StatusCode;

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::{Code, Error};
use crate::operation::{Group, Kind, Member, Operation, Shape};
use crate::user_body::{self, user_body};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Register",
    description: "",
    method: EndpointMethod::Post,
    authentication: Authentication::Optional,
    asked_by: AskedBy::Client,
    fields: &[
        ID,
        Field {
            help_text: Some("Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only."),
            max_length: Some(150),
            ..Field::text("username", "Username", "ada")
        },
        Field { required: false, ..EMAIL },
        PASSWORD,
    ],
    operation: Operation {
        group: Group::Accounts,
        summary: "Make an account",
        details: "A password has to pass the validators of `AUTH_PASSWORD_VALIDATORS`.",
        status: StatusCode::CREATED,
        body: user_body::SHAPE,
        refusals: &[Code::Throttled],
        query: &[],
    },
    handle: |call| Box::pin(register(call)),
};

/// Where users log in with their e-mail address.
pub(crate) const BY_EMAIL: Endpoint = Endpoint { fields: &[ID, EMAIL, PASSWORD], ..ENDPOINT };

/// Where accounts are made by mail (`REGISTRATION_PRIVACY`): the answer is the same for everybody.
pub(crate) const BY_MAIL: Endpoint = Endpoint {
    fields: &[EMAIL],
    operation: Operation {
        summary: "Ask for an account",
        details: "A message is sent to the address. If there is no account with it, a link in the message leads to where the \
                  password is chosen; if there is one, the message says so. The answer is the same.",
        status: StatusCode::ACCEPTED,
        body: Shape::Object(&[Member::new("detail", Kind::Text(ASKED), "")]),
        ..ENDPOINT.operation
    },
    handle: |call| Box::pin(ask(call)),
    ..ENDPOINT
};

const ASKED: &str = "If an account can be made for this address, a message with a link is on its way to it.";

const ID: Field = Field { kind: "integer", required: false, read_only: true, ..Field::text("id", "ID", "1") };
const EMAIL: Field = Field {
    kind: "email",
    max_length: Some(254),
    ..Field::text("email", "Email address", "ada@example.com")
};
pub(crate) const PASSWORD: Field =
    Field { max_length: Some(128), ..Field::text("password", "Password", "correct-horse-7") };

async fn register(call: Call<'_>) -> Result<Answer, Error> {
    let (username, email, password) = (call.field("username"), call.field("email"), call.field("password"));
    let user = call.auth.register(username, email, password, call.origin).await?;
    call.seen.is_of(user.id);
    Ok(Answer::with(StatusCode::CREATED, user_body(&user, call.auth.login_field())))
}

async fn ask(call: Call<'_>) -> Result<Answer, Error> {
    call.auth.request_registration(call.field("email"), call.origin).await?;
    Ok(Answer::with(StatusCode::ACCEPTED, object([("detail", ASKED.into())]).into()))
}
