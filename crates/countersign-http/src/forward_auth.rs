//! `GET /auth/verify`: may this request pass? For proxies that ask before they let one through: `auth_request` of nginx,
//! `forward_auth` of Caddy, `ForwardAuth` of Traefik.
//!
//! The proxy hands on the client's own headers, so that `Accept` is not looked at. Whoever passes is named in headers of
//! the answer, which the proxy puts in place of those that the client may have sent.

use countersign_auth::{Access, Caller};
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::endpoint::{Answer, AskedBy, Authentication, Call, Endpoint, EndpointMethod, object};
use crate::error::{Code, Error};
use crate::operation::{Asked, Group, Operation, Shape};

/// All but what RFC 3986 calls unreserved, and the `@` of an e-mail address: nothing that parts a list or means something to
/// whoever reads the header, and no `+`, which some decoders take for a space.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
/// The columns of Django.
const MAX_GROUP: usize = 150;
const MAX_PERMISSION_PART: usize = 100;

const QUERY: [Asked; 4] = [
    Asked {
        name: "group",
        meaning: "Names of groups, comma-separated, of which the user must be in one.",
        values: &[],
    },
    Asked {
        name: "permission",
        meaning: "Permissions as `app_label.codename`, comma-separated, of which the user must have each. What can be none is \
                  refused with 400.",
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
    asked_by: AskedBy::Proxy,
    fields: &[],
    operation: Operation {
        group: Group::Server,
        summary: "Whether a request may pass, for a proxy",
        details: "Success has the headers `X-User-Id`, `X-User-Name` and `X-User-Groups` (names with commas between them). \
                  In each name everything but ASCII letters, digits and `-._~@` is percent-encoded.",
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
    let (groups, permissions) = (list("group")?, list("permission")?);
    if !(groups.iter().all(|name| fits(name, MAX_GROUP))
        && permissions.iter().all(|name| is_permission(name)))
    {
        return Err(Error::BadRequirement);
    }
    Ok(Access {
        one_of_groups: groups,
        permissions,
        staff: call.is_asked("staff"),
        superuser: call.is_asked("superuser"),
    })
}

/// Whether Django can have a permission of this name. One that it cannot have is mistyped, and would never let anybody
/// but superusers through.
fn is_permission(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        fits(label, MAX_PERMISSION_PART) && label.chars().all(is_of_word)
    };
    name.split_once('.').is_some_and(|(app, codename)| is_label(app) && fits(codename, MAX_PERMISSION_PART))
}

fn fits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count())
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
