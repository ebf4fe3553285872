//! `POST /user/api/token/blacklist/`: ends a refresh token.

use crate::endpoint::{Answer, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::Error;

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Token Blacklist",
    description: "Takes a token and blacklists it. Must be used with the\n\
                  `rest_framework_simplejwt.token_blacklist` app installed.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    fields: &[Field::text("refresh", "Refresh")],
    handle: |call| Box::pin(blacklist(call)),
};

async fn blacklist(call: Call<'_>) -> Result<Answer, Error> {
    call.auth.blacklist(call.field("refresh")).await?;
    Ok(Answer::ok(object([]).into()))
}
