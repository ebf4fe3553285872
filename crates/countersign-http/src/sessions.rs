//! `GET /user/api/sessions/` and `DELETE /user/api/sessions/{id}/`: where a user is logged in, and ending that.

use countersign_domain::{EndReason, Session, SessionId};
use countersign_token::json::Value;
use http::StatusCode;
use jiff::Timestamp;

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, object};
use crate::error::{Code, Error};
use crate::operation::{Group, Kind, Member, Operation, Shape};

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Sessions",
    description: "The sessions of the user, the newest first.",
    method: EndpointMethod::Get,
    authentication: Authentication::Required,
    asked_by: AskedBy::Client,
    fields: &[],
    operation: Operation {
        group: Group::Sessions,
        summary: "Where the user is logged in",
        details: "The newest first, no more than a thousand.",
        status: StatusCode::OK,
        body: Shape::List(&[
            Member::new("id", Kind::Text("8f0c2a5b5a3e4c0f9d1e2b3a4c5d6e7f"), ""),
            Member::new("current", Kind::Boolean(true), "Whether the access token belongs to it."),
            Member::new("created_at", Kind::Time("2026-01-01T12:00:00.123456Z"), "The login."),
            Member::new("last_seen_at", Kind::Time("2026-01-01T12:34:00Z"), "To the minute."),
            Member::new("expires_at", Kind::Time("2026-01-02T12:30:00Z"), "Later with each rotation."),
            Member::new("address", Kind::TextOrNull("192.0.2.7"), "Of the connection at the login."),
            Member::new("client", Kind::Text("Mozilla/5.0"), "`User-Agent` at the login."),
        ]),
        refusals: &[],
        query: &[],
    },
    handle: |call| Box::pin(list(call)),
};

pub(crate) const ONE_ENDPOINT: Endpoint = Endpoint {
    name: "Session",
    description: "Ends a session of the user.",
    method: EndpointMethod::Delete,
    authentication: Authentication::Required,
    asked_by: AskedBy::Client,
    fields: &[],
    operation: Operation {
        group: Group::Sessions,
        summary: "End one session of the user",
        details: "",
        status: StatusCode::NO_CONTENT,
        body: Shape::Nothing,
        refusals: &[Code::SessionNotFound],
        query: &[],
    },
    handle: |call| Box::pin(end(call)),
};

async fn list(call: Call<'_>) -> Result<Answer, Error> {
    let caller = call.caller()?;
    let sessions = call.auth.list_sessions(&caller.user).await?;
    let body = |session: &Session| session_body(session, caller.session.as_ref());
    Ok(Answer::ok(Value::Array(sessions.iter().map(body).collect())))
}

async fn end(call: Call<'_>) -> Result<Answer, Error> {
    let caller = call.caller()?;
    call.auth.end_session(&caller.user, call.argument, EndReason::LoggedOut, call.origin).await?;
    if caller.session.as_ref().is_some_and(|current| current.as_str() == call.argument) {
        call.forget_cookies();
    }
    Ok(Answer::no_content())
}

fn session_body(session: &Session, current: Option<&SessionId>) -> Value {
    object([
        ("id", session.id.as_str().into()),
        ("current", (current == Some(&session.id)).into()),
        ("created_at", time(session.created_at)),
        ("last_seen_at", time(session.last_seen_at)),
        ("expires_at", time(session.expires_at)),
        ("address", session.client.address.as_deref().map_or(Value::Null, Value::from)),
        ("client", session.client.name.as_str().into()),
    ])
    .into()
}

/// ISO 8601 in UTC, as Django REST Framework writes times: microseconds, and none when they are zero.
fn time(time: Timestamp) -> Value {
    let format = if time.subsec_microsecond() == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
    time.strftime(format).to_string().into()
}
