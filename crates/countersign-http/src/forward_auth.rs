//! `GET /auth/verify`: may this request pass? For proxies that ask before they let one through: `auth_request` of nginx,
//! `forward_auth` of Caddy, `ForwardAuth` of Traefik.
//!
//! The proxy hands on the client's own headers, so that `Accept` is not looked at. Whoever passes is named in headers of
//! the answer, which the proxy puts in place of those that the client may have sent.

use countersign_auth::{Access, Caller};
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::endpoint::{Answer, Authentication, Call, Endpoint, EndpointMethod, object};
use crate::error::{Code, Error};
use crate::operation::{Asked, Group, Operation, Shape};

/// What a header cannot hold, and what parts the names of a list.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b',');

const QUERY: [Asked; 4] = [
    Asked {
        name: "group",
        meaning: "Names of groups, comma-separated, of which the user must be in one.",
        values: &[],
    },
    Asked {
        name: "permission",
        meaning: "Permissions as `app_label.codename`, comma-separated, of which the user must have each.",
        values: &[],
    },
    Asked::flag("staff", "Only staff may pass."),
    Asked::flag("superuser", "Only superusers may pass."),
];

pub(crate) const ENDPOINT: Endpoint = Endpoint {
    name: "Auth Verify",
    description: "Answers a proxy that asks whether a request may pass.",
    method: EndpointMethod::Get,
    authentication: Authentication::Required,
    negotiates: false,
    fields: &[],
    operation: Operation {
        group: Group::Server,
        summary: "Whether a request may pass, for a proxy",
        details: "Success has the headers `X-User-Id`, `X-User-Name` and `X-User-Groups` (names with commas between them). \
                  In each name everything beyond visible ASCII, and `%` and `,`, is percent-encoded.",
        status: StatusCode::OK,
        body: Shape::Object(&[]),
        refusals: &[Code::PermissionDenied, Code::BadRequirement],
        query: &QUERY,
    },
    handle: |call| Box::pin(verify(call)),
};

async fn verify(call: Call<'_>) -> Result<Answer, Error> {
    let wanted = wanted(&call)?;
    let caller = call.caller()?;
    let groups = call.auth.pass(caller, &wanted).await?;
    let mut answer = Answer::ok(object([]).into());
    answer.headers = named(caller, &groups);
    Ok(answer)
}

/// What the proxy asks for. A name that is misspelt or said twice is refused: it must not let anybody through.
fn wanted(call: &Call<'_>) -> Result<Access, Error> {
    let is_known = |name: &str| QUERY.iter().any(|known| known.name == name);
    if call.query.has_repeats() || !call.query.iter().all(|(name, _)| is_known(name)) {
        return Err(Error::BadRequirement);
    }
    let list = |name: &str| match call.query.find_text(name) {
        None => Ok(Vec::new()),
        Some(text) if text.split(',').any(|one| one.trim().is_empty()) => Err(Error::BadRequirement),
        Some(text) => Ok(text.split(',').map(|one| one.trim().to_owned()).collect()),
    };
    Ok(Access {
        one_of_groups: list("group")?,
        permissions: list("permission")?,
        staff: call.is_asked("staff"),
        superuser: call.is_asked("superuser"),
    })
}

/// Each header is always there, so that the client's own never passes.
fn named(caller: &Caller, groups: &[String]) -> Vec<(HeaderName, HeaderValue)> {
    let groups: Vec<String> = groups.iter().map(|name| encoded(name)).collect();
    let texts = [
        ("x-user-id", caller.user.id.to_string()),
        ("x-user-name", encoded(&caller.user.username)),
        ("x-user-groups", groups.join(",")),
    ];
    let header = |text: String| HeaderValue::try_from(text).expect("what is encoded is visible ASCII");
    texts.map(|(name, text)| (HeaderName::from_static(name), header(text))).into()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}
