//! `POST /user/api/register/confirm/`: the account that a link in a message was sent for. Where accounts are made at once,
//! there is no such path.

use http::StatusCode;

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, Field};
use crate::error::{Code, Error};
use crate::operation::{Group, Operation};
use crate::register::PASSWORD;
use crate::user_body::{self, user_body};

/// Where it is.
pub(crate) const PATH: &str = "/user/api/register/confirm/";

const EXAMPLE: &str = "616461406578616d706c652e636f6d.1767312000.\
                       9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab";

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Register Confirm",
    description: "",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    asked_by: AskedBy::Client,
    fields: &[Field::text("token", "Token", EXAMPLE), PASSWORD],
    operation: Operation {
        group: Group::Accounts,
        summary: "Make the account that a link was sent for",
        details: "`token` is what the link in the message has. A password has to pass the validators of \
                  `AUTH_PASSWORD_VALIDATORS`; if it does not, the link stays good. The name of the account is its address.",
        status: StatusCode::CREATED,
        body: user_body::SHAPE,
        refusals: &[Code::Throttled],
        query: &[],
    },
    handle: |call| Box::pin(confirm(call)),
};

async fn confirm(call: Call<'_>) -> Result<Answer, Error> {
    let (token, password) = (call.field("token"), call.field("password"));
    let user = call.auth.confirm_registration(token, password, call.origin).await?;
    call.seen.is_of(user.id);
    Ok(Answer::with(StatusCode::CREATED, user_body(&user, call.auth.login_field())))
}
