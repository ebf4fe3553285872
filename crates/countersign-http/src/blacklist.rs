//! `POST /user/api/token/blacklist/`: ends a refresh token.

use http::StatusCode;

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::{Code, Error};
use crate::operation::{EXAMPLE_TOKEN, Group, Operation, Shape};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Token Blacklist",
    description: "Takes a token and blacklists it. Must be used with the\n\
                  `rest_framework_simplejwt.token_blacklist` app installed.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    asked_by: AskedBy::Client,
    fields: &[Field::text("refresh", "Refresh", EXAMPLE_TOKEN)],
    operation: Operation {
        group: Group::Tokens,
        summary: "End a refresh token",
        details: "Its session ends; access tokens run out.",
        status: StatusCode::OK,
        body: Shape::Object(&[]),
        refusals: &[Code::TokenNotValid, Code::Throttled],
        query: &[],
    },
    handle: |call| Box::pin(blacklist(call)),
};

async fn blacklist(call: Call<'_>) -> Result<Answer, Error> {
    call.seen.is_of(call.auth.blacklist(call.field("refresh"), call.origin).await?);
    Ok(Answer::ok(object([]).into()))
}
