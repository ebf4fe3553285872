//! `POST /user/api/token/refresh/` and `/user/api/token/refresh/sliding/`: a new token for one that is still good.

use http::StatusCode;

use crate::endpoint::{Answer, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::{Code, Error};
use crate::login::SLIDING_TOKEN;
use crate::operation::{EXAMPLE_TOKEN, Group, Kind, Member, Operation, Shape};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Token Refresh",
    description: "Takes a refresh type JSON web token and returns an access type JSON web\n\
                  token if the refresh token is valid.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    negotiates: true,
    fields: &[
        Field::text("refresh", "Refresh", EXAMPLE_TOKEN),
        Field { required: false, read_only: true, ..Field::text("access", "Access", EXAMPLE_TOKEN) },
    ],
    operation: Operation {
        group: Group::Tokens,
        summary: "An access token for a refresh token",
        details: "With `ROTATE_REFRESH_TOKENS` the answer has a new refresh token too; with `BLACKLIST_AFTER_ROTATION` \
                  the old one ends. Tabs that race, and a retry after a lost answer, get the same successor.",
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
        refusals: &[Code::TokenNotValid, Code::NoActiveAccountForToken, Code::Throttled],
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
    negotiates: true,
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
    let refreshed = call.auth.refresh(call.field("refresh"), &call.client).await?;
    if let Some(user) = refreshed.user {
        call.seen.is_of(user);
    }
    let mut body = object([("access", refreshed.access.into())]);
    if let Some(successor) = refreshed.refresh {
        body.insert("refresh", successor);
    }
    Ok(Answer::ok(body.into()))
}

async fn refresh_sliding(call: Call<'_>) -> Result<Answer, Error> {
    let token = call.auth.refresh_sliding(call.field("token"), &call.client).await?;
    Ok(Answer::ok(object([("token", token.into())]).into()))
}
