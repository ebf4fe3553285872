//! `GET /user/api/me/`: the user whose bearer token this is.

use std::future::ready;

use http::StatusCode;

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod};
use crate::error::Error;
use crate::operation::{Group, Operation};
use crate::user_body::{self, user_body};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Me",
    description: "",
    method: EndpointMethod::Get,
    authentication: Authentication::Required,
    asked_by: AskedBy::Client,
    fields: &[],
    operation: Operation {
        group: Group::Accounts,
        summary: "Whose access token it is",
        details: "",
        status: StatusCode::OK,
        body: user_body::SHAPE,
        refusals: &[],
        query: &[],
    },
    handle: |call| Box::pin(ready(me(&call))),
};

fn me(call: &Call<'_>) -> Result<Answer, Error> {
    Ok(Answer::ok(user_body(&call.caller()?.user, call.auth.login_field())))
}
