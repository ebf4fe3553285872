//! `POST /user/api/login/` and `/user/api/login/sliding/`: tokens for a name and a password.

use countersign_auth::LoginOutcome;

use crate::endpoint::{Answer, Authentication, Call, Endpoint, EndpointMethod, Field, object};
use crate::error::Error;

const CREDENTIALS: &[Field] = &[Field::text("username", "Username"), Field::text("password", "Password")];
const CREDENTIALS_BY_EMAIL: &[Field] = &[Field::text("email", "Email"), Field::text("password", "Password")];

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Login",
    description: "",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    fields: CREDENTIALS,
    handle: |call| Box::pin(log_in(call)),
};

pub(crate) const SLIDING_ENDPOINT: Endpoint = Endpoint {
    name: "Token Obtain Sliding",
    description: "Takes a set of user credentials and returns a sliding JSON web token to\n\
                  prove the authentication of those credentials.",
    method: EndpointMethod::Post,
    authentication: Authentication::Ignored,
    fields: CREDENTIALS,
    handle: |call| Box::pin(log_in_sliding(call)),
};

/// Where users log in with their e-mail address.
pub(crate) const BY_EMAIL: Endpoint = Endpoint { fields: CREDENTIALS_BY_EMAIL, ..ENDPOINT };

/// Where users log in with their e-mail address.
pub(crate) const SLIDING_BY_EMAIL: Endpoint = Endpoint { fields: CREDENTIALS_BY_EMAIL, ..SLIDING_ENDPOINT };

async fn log_in(call: Call<'_>) -> Result<Answer, Error> {
    let (username, password) = (call.field(call.auth.login_field().name()), call.field("password"));
    let LoginOutcome::Done(pair) = call.auth.log_in(username, password, &call.client).await?;
    let body = object([("refresh", pair.refresh.into()), ("access", pair.access.into())]);
    Ok(Answer::ok(body.into()))
}

async fn log_in_sliding(call: Call<'_>) -> Result<Answer, Error> {
    let (username, password) = (call.field(call.auth.login_field().name()), call.field("password"));
    let LoginOutcome::Done(token) = call.auth.log_in_sliding(username, password, &call.client).await?;
    Ok(Answer::ok(object([("token", token.into())]).into()))
}
