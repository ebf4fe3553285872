//! `POST /user/api/logout/` and `/user/api/logout/all/`: ending this session, or every one.

use http::StatusCode;

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, object};
use crate::error::{Code, Error};
use crate::operation::{Asked, Group, Kind, Member, Operation, Shape};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Logout",
    description: "Ends the session that the access token belongs to.",
    method: EndpointMethod::Post,
    authentication: Authentication::Required,
    asked_by: AskedBy::Client,
    fields: &[],
    operation: Operation {
        group: Group::Sessions,
        summary: "End this session",
        details: "A body is not looked at.",
        status: StatusCode::OK,
        body: Shape::Object(&[]),
        refusals: &[Code::NoSession],
        query: &[],
    },
    handle: |call| Box::pin(log_out(call)),
};

pub(crate) const ALL_ENDPOINT: Endpoint = Endpoint {
    name: "Logout All",
    description: "Ends every session of the user; with ?except_current, but for this one.",
    method: EndpointMethod::Post,
    authentication: Authentication::Required,
    asked_by: AskedBy::Client,
    fields: &[],
    operation: Operation {
        group: Group::Sessions,
        summary: "End every session of the user",
        details: "",
        status: StatusCode::OK,
        body: Shape::Object(&[Member::new("sessions", Kind::Integer(3), "How many have ended.")]),
        refusals: &[Code::NoSession],
        query: &[Asked::flag("except_current", "Leave the session of this token.")],
    },
    handle: |call| Box::pin(log_out_all(call)),
};

async fn log_out(call: Call<'_>) -> Result<Answer, Error> {
    call.auth.log_out(call.caller()?, call.origin).await?;
    call.forget_cookies();
    Ok(Answer::ok(object([]).into()))
}

async fn log_out_all(call: Call<'_>) -> Result<Answer, Error> {
    let except_current = call.is_asked("except_current");
    let ended = call.auth.log_out_all(call.caller()?, except_current, call.origin).await?;
    if !except_current {
        call.forget_cookies();
    }
    let sessions = i64::try_from(ended.sessions).unwrap_or(i64::MAX);
    Ok(Answer::ok(object([("sessions", sessions.into())]).into()))
}
