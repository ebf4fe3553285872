//! Whatever is sent, the service answers, and by the rules: no panic, no 5xx.

use http::{HeaderName, HeaderValue, Method, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::actors::{Answer, BLACKLIST, Draft, ME, OWN_PATHS, PATHS, REFRESH, VERIFY, World};

/// One service for all cases of a property, with `ada` logged in.
struct Scene {
    runtime: Runtime,
    world: World,
    refresh: String,
    access: String,
}

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = World::new();
        let (refresh, access) = runtime.block_on(async {
            let ada = world.user("ada").await;
            (ada.refresh, ada.access)
        });
        Self { runtime, world, refresh, access }
    }

    fn answer(&self, draft: Draft) -> Answer {
        let answer = self.runtime.block_on(self.world.send(draft));
        assert!(!answer.status.is_server_error(), "{answer:?}");
        answer
    }
}

fn method() -> impl Strategy<Value = Method> {
    let any_token =
        "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}".prop_map(|name| Method::from_bytes(name.as_bytes()).unwrap());
    prop_oneof![
        4 => select(vec![Method::GET, Method::POST, Method::HEAD, Method::OPTIONS, Method::PUT]),
        1 => any_token,
    ]
}

fn uri() -> impl Strategy<Value = Uri> {
    let tail = prop_oneof![3 => Just(String::new()), 1 => "[ -~]{0,40}", 1 => "\\?format=[a-z]{0,4}", 1 => "%[0-9a-fA-F]{2}"];
    let any_path = vec(any::<u8>(), 0..40).prop_map(|bytes| format!("/{}", String::from_utf8_lossy(&bytes)));
    let path = prop_oneof![6 => select(all_paths()).prop_map(str::to_owned), 1 => any_path];
    (path, tail).prop_filter_map("not a request target", |(path, tail)| format!("{path}{tail}").parse().ok())
}

fn header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    let names = ["host", "accept", "authorization", "content-type", "content-encoding", "cookie", "x-any"];
    let values = [
        "auth.example",
        "text/html",
        "*/*; indent=4",
        "application/json",
        "Bearer x",
        "Bearer",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=B",
        "application/json; charset=utf-16",
    ];
    let value = prop_oneof![
        2 => select(values.to_vec()).prop_map(HeaderValue::from_static),
        1 => vec(any::<u8>(), 0..40).prop_filter_map("not a header", |bytes| HeaderValue::from_bytes(&bytes).ok()),
    ];
    (select(names.to_vec()).prop_map(HeaderName::from_static), value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"username\"",
        "\"password\"",
        "\"token\"",
        "\"refresh\"",
        "\"\\ud800\"",
        "null",
        "1e999",
        "username=",
        "&",
        "%00",
        "--B",
        "\r\n",
        "Content-Disposition: form-data; name=token",
        "--",
    ];
    let piece = prop_oneof![
        3 => select(pieces.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..12),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn draft() -> impl Strategy<Value = Draft> {
    (method(), uri(), vec(header(), 0..5), body()).prop_map(|(method, uri, lines, body)| {
        let mut draft = Draft { uri, ..Draft::new(method, "/") }.body(body);
        for (name, value) in lines {
            if name == "host" {
                draft.headers.append(name, value);
            } else {
                draft.headers.insert(name, value);
            }
        }
        draft
    })
}

/// JSON text of any value, lone surrogates and numbers beyond any type included.
fn json_text() -> impl Strategy<Value = String> {
    let odd = [
        "null",
        "true",
        "0",
        "-0",
        "1e400",
        "1.50",
        "99999999999999999999",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "[]",
        "{}",
        "\"\"",
        "\" \"",
        "\"ada\"",
        "\"1\"",
        "[[{\"a\":[null]}]]",
    ];
    let text = any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    prop_oneof![2 => select(odd.to_vec()).prop_map(str::to_owned), 1 => text, 1 => any::<i64>().prop_map(|n| n.to_string())]
}

/// What is done to a good token to spoil it.
fn spoilt(good: &str, (at, byte, how): (prop::sample::Index, u8, u8)) -> String {
    let mut bytes = good.as_bytes().to_vec();
    let at = at.index(bytes.len());
    match how % 5 {
        0 => bytes[at] = byte,
        1 => bytes.truncate(at),
        2 => bytes.insert(at, byte),
        3 => bytes.rotate_left(at),
        _ => drop(bytes.remove(at)),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn arbitrary_requests_are_answered_by_the_rules() {
    let scene = Scene::new();
    proptest!(config(), |(draft in draft())| {
        scene.answer(draft);
    });
}

#[test]
fn arbitrary_values_of_the_right_fields_are_answered_by_the_rules() {
    let scene = Scene::new();
    let accept = select(["*/*", "text/html", "application/json; indent=2"].to_vec());
    let names = ["username", "email", "password", "refresh", "token"];
    proptest!(config(), |(path in select(all_paths()), values in vec(json_text(), 5), accept in accept)| {
        let members: Vec<_> = names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let draft = Draft::post(path).header("content-type", "application/json").header("accept", accept);
        scene.answer(draft.body(format!("{{{}}}", members.join(","))));
    });
}

#[test]
fn a_spoilt_token_opens_nothing() {
    let scene = Scene::new();
    proptest!(config(), |(damage in any::<(prop::sample::Index, u8, u8)>())| {
        let (refresh, access) = (spoilt(&scene.refresh, damage), spoilt(&scene.access, damage));
        prop_assume!(refresh.trim() != scene.refresh && access.trim() != scene.access);
        for (path, body) in [
            (REFRESH, json!({"refresh": refresh})),
            (BLACKLIST, json!({"refresh": refresh})),
            (VERIFY, json!({"token": access})),
        ] {
            let status = scene.answer(Draft::post(path).json(&body)).status.as_u16();
            // A token can be cut down to nothing, which the field itself refuses.
            prop_assert!(matches!(status, 400 | 401), "{} answers {}", path, status);
        }
        if let Ok(value) = HeaderValue::from_bytes(format!("Bearer {access}").as_bytes()) {
            let mut draft = Draft::get(ME);
            draft.headers.insert("authorization", value);
            scene.answer(draft).is(401);
        }
    });
}

#[test]
fn odd_claims_under_a_sound_signature_are_answered_by_the_rules() {
    let scene = Scene::new();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let claims = ["user_id", "exp", "iat", "nbf", "jti", "token_type", "aud", "iss", "sub", "other"];
    proptest!(config(), |(name in select(claims.to_vec()), value in json_text())| {
        let value = countersign_token::json::parse_constants(&value).unwrap();
        for good in [&scene.refresh, &scene.access] {
            let mut claims = scene.world.tokens.decode(good, now).unwrap();
            claims.set(name, value.clone());
            let token = scene.world.tokens.encode(&claims);
            for path in [REFRESH, BLACKLIST, VERIFY] {
                scene.answer(Draft::post(path).json(&json!({"refresh": token, "token": token})));
            }
            scene.answer(Draft::get(ME).bearer(&token));
        }
    });
}

#[test]
fn the_tokens_of_these_properties_are_good_before_they_are_spoilt() {
    let scene = Scene::new();
    scene.answer(Draft::get(ME).bearer(&scene.access)).is(200);
    scene.answer(Draft::post(REFRESH).json(&json!({"refresh": scene.refresh}))).is(200);
}

fn all_paths() -> Vec<&'static str> {
    [PATHS.as_slice(), OWN_PATHS.as_slice()].concat()
}
