//! Whole requests, written as HTTP/1.1 writes them: every header that we read, cookies, the mark of a device, `Forwarded`,
//! `traceparent`, tokens. `{ACCESS}`, `{REFRESH}`, `{MARK}` and `{CSRF}` stand for ones that are good. There is an answer,
//! it is no failure of ours, and it keeps the rules of the wire.
#![no_main]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use bytes::Bytes;
use countersign_fuzz::World;
use countersign_token::json;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

/// One of the proxies that are trusted.
const PEER: &str = "192.0.2.7";
const ADA: &str = r#"{"username":"ada","password":"a-long-enough-secret"}"#;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
static WORLD: LazyLock<World> = LazyLock::new(World::new);
/// What placeholders stand for: of Ada, who has logged in once for tokens and once for cookies.
static GOOD: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    let post = |path: &str, headers: &str| {
        let text =
            format!("POST {path}\nhost: auth.example\ncontent-type: application/json\n{headers}\n{ADA}");
        answer(read(text.as_bytes()).expect("a request"))
    };
    post("/user/api/register/", "");
    let tokens = post("/user/api/login/", "");
    let member = |answer: &Answer, name: &str| match json::parse(&String::from_utf8_lossy(&answer.body)) {
        Ok(json::Value::Object(body)) => {
            body.get(name).and_then(json::Value::as_str).expect("there").to_owned()
        }
        _ => panic!("no object"),
    };
    let mark = tokens.head.headers["set-cookie"].to_str().expect("text");
    let mark = mark.split_once(';').expect("attributes").0.split_once('=').expect("a value").1;
    let cookies = post("/user/api/login/", "origin: https://auth.example\n");
    BTreeMap::from([
        ("{ACCESS}", member(&tokens, "access")),
        ("{REFRESH}", member(&tokens, "refresh")),
        ("{MARK}", mark.to_owned()),
        ("{CSRF}", member(&cookies, "csrf_token")),
    ])
});

struct Answer {
    head: http::response::Parts,
    body: Bytes,
}

/// Method and target, headers by lines, an empty line, the body.
fn read(data: &[u8]) -> Option<Request<Full<Bytes>>> {
    let mut rest = data;
    let mut line = || {
        let (line, after) = countersign_fuzz::split_at(rest, b'\n');
        rest = after;
        line
    };
    let first = std::str::from_utf8(line()).ok()?;
    let (method, target) = first.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target);
    loop {
        let header = line();
        if header.is_empty() {
            break;
        }
        let (name, value) = countersign_fuzz::split_at(header, b':');
        let name = HeaderName::from_bytes(name).ok()?;
        request = request.header(name, HeaderValue::from_bytes(value.trim_ascii()).ok()?);
    }
    request.body(Full::from(rest.to_vec())).ok()
}

fn answer(request: Request<Full<Bytes>>) -> Answer {
    let peer: IpAddr = PEER.parse().expect("an address");
    let [by_x_forwarded_for, by_forwarded] = &WORLD.services;
    let is_forwarded = request.headers().contains_key("forwarded");
    let service = if is_forwarded { by_forwarded } else { by_x_forwarded_for };
    let answer: Response<_> = RUNTIME.block_on(service.answer(request, Some(peer)));
    let (head, body) = answer.into_parts();
    let body = RUNTIME.block_on(body.collect()).expect("it is there").to_bytes();
    Answer { head, body }
}

/// The input with what its placeholders stand for.
fn filled(data: &[u8]) -> Vec<u8> {
    let Some(at) = data.iter().position(|byte| *byte == b'{') else { return data.to_vec() };
    let (before, rest) = data.split_at(at);
    let (placeholder, value) = match GOOD.iter().find(|(name, _)| rest.starts_with(name.as_bytes())) {
        Some((name, value)) => (name.len(), value.as_bytes()),
        None => (1, &b"{"[..]),
    };
    [before, value, &filled(&rest[placeholder..])].concat()
}

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&GOOD);
    let Some(request) = read(&filled(data)) else { return };
    let asked = format!("{request:?}");
    let Answer { head, body } = answer(request);
    let status = head.status.as_u16();
    assert!(status < 500 || status == 503, "{status} for {asked}");
    let all = |name: &str| head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    assert_eq!(all("x-request-id").len(), 1, "{asked}");
    assert_eq!(all("x-content-type-options"), [b"nosniff"], "{asked}");
    if all("content-type") == [b"application/json"] && !body.is_empty() {
        let text = std::str::from_utf8(&body).expect("UTF-8");
        assert!(json::parse(text).is_ok(), "{text} for {asked}");
    }
    assert!(all("set-cookie").is_empty() || status != 429, "{asked}");
});
