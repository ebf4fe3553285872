//! `POST /user/api/token/verify/`: whether a token of any kind is good.

use http::StatusCode;

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::{Code, Error};
use crate::operation::{EXAMPLE_TOKEN, Group, Operation, Shape};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Token Verify",
    description: "Takes a token and indicates if it is valid.  This view provides no\n\
                  information about a token's fitness for a particular use.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    asked_by: AskedBy::Client,
    fields: &[Field::text("token", "Token", EXAMPLE_TOKEN)],
    operation: Operation {
        group: Group::Tokens,
        summary: "Whether a token is good",
        details: "Any kind of token. Says nothing of what the token may be used for.",
        status: StatusCode::OK,
        body: Shape::Object(&[]),
        refusals: &[Code::TokenNotValid, Code::TokenBlacklisted, Code::Throttled],
        query: &[],
    },
    handle: |call| Box::pin(verify(call)),
};

async fn verify(call: Call<'_>) -> Result<Answer, Error> {
    call.seen.is_of(call.auth.verify(call.field("token"), call.origin).await?);
    Ok(Answer::ok(object([]).into()))
}
