//! Pages of other origins: every answer is header for header what Django with django-cors-headers recorded.

use std::collections::BTreeMap;

use countersign_http::{Cors, HeaderValue, Origins, UrlPattern};
use http::Method;
use serde_json::{Value, json};

use crate::actors::{Draft, ME, PATHS, World};

const VECTORS: &str = include_str!("../../../../../conformance/vectors/cors.json");
const APP: &str = "https://app.example";

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// As the program makes it of its settings; their defaults are those of the package.
pub fn cors(settings: &Value) -> Cors {
    let list = |name: &str, default: &str| {
        let joined = settings.get(name).map_or(default.to_owned(), |list| texts(list).join(", "));
        HeaderValue::try_from(joined).unwrap()
    };
    let is_on = |name: &str| settings[name] == json!(true);
    let named = Origins::named(&texts(&settings["CORS_ALLOWED_ORIGINS"])).unwrap();
    Cors {
        allow_all_origins: is_on("CORS_ALLOW_ALL_ORIGINS"),
        allowed_origins: named.and_like(&texts(&settings["CORS_ALLOWED_ORIGIN_REGEXES"])).unwrap(),
        allow_credentials: is_on("CORS_ALLOW_CREDENTIALS"),
        allow_headers: list(
            "CORS_ALLOW_HEADERS",
            "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with",
        ),
        allow_methods: list("CORS_ALLOW_METHODS", "DELETE, GET, OPTIONS, PATCH, POST, PUT"),
        expose_headers: settings.get("CORS_EXPOSE_HEADERS").map(|_| list("CORS_EXPOSE_HEADERS", "")),
        preflight_max_age_secs: settings["CORS_PREFLIGHT_MAX_AGE"].as_u64().unwrap_or(86_400),
        urls: UrlPattern::read(settings["CORS_URLS_REGEX"].as_str().unwrap_or("^.*$")).unwrap(),
        allow_private_network: is_on("CORS_ALLOW_PRIVATE_NETWORK"),
    }
}

fn world(settings: &Value) -> World {
    World::set(|of_http| of_http.cors = Some(cors(settings)))
}

/// What is recorded of an answer.
async fn ask(world: &World, draft: Draft) -> Value {
    let answer = world.service.answer(draft.request(), None).await;
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let headers: BTreeMap<String, String> = answer
        .headers()
        .iter()
        .filter(|(name, _)| !["content-length", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    json!({"status": answer.status().as_u16(), "headers": headers})
}

fn draft(request: &Value) -> Draft {
    let method = Method::from_bytes(request["method"].as_str().unwrap().as_bytes()).unwrap();
    let is_post = method == Method::POST;
    let mut draft = Draft::new(method, request["path"].as_str().unwrap());
    for (name, value) in request["headers"].as_object().unwrap() {
        let name: http::HeaderName = name.parse().unwrap();
        draft.headers.insert(name, value.as_str().unwrap().parse().unwrap());
    }
    if is_post { draft.json(&json!({})) } else { draft }
}

#[tokio::test]
async fn every_answer_is_the_one_that_django_cors_headers_gives() {
    let recorded: Value = serde_json::from_str(VECTORS).unwrap();
    let mut count = 0;
    for vector in recorded["vectors"].as_array().unwrap() {
        let world = world(&vector["settings"]);
        for request in vector["requests"].as_array().unwrap() {
            let found = ask(&world, draft(request)).await;
            assert_eq!(found, request["answer"], "{request} under {}", vector["settings"]);
            count += 1;
        }
    }
    assert_eq!(count, 1152);
}

#[tokio::test]
async fn where_it_is_off_nobody_can_tell_that_there_is_such_a_thing() {
    let world = World::new();
    for path in PATHS {
        for method in [Method::GET, Method::OPTIONS] {
            let plain = Draft::new(method, path);
            let from_elsewhere = plain
                .clone()
                .header("origin", APP)
                .header("access-control-request-method", "POST")
                .header("access-control-request-private-network", "true");
            assert_eq!(ask(&world, from_elsewhere).await, ask(&world, plain).await);
        }
    }
}

#[tokio::test]
async fn a_proxy_that_asks_with_a_preflight_gets_no_leave() {
    let world = world(&json!({"CORS_ALLOW_ALL_ORIGINS": true}));
    let preflight = |path| {
        let draft = Draft::new(Method::OPTIONS, path).header("origin", APP);
        draft.header("access-control-request-method", "GET")
    };
    assert_eq!(ask(&world, preflight("/auth/verify")).await["status"], 401);
    assert_eq!(ask(&world, preflight(ME)).await["status"], 200);
}

#[tokio::test]
async fn two_origins_at_once_are_none() {
    let world = world(&json!({"CORS_ALLOWED_ORIGINS": [APP]}));
    let both = Draft::get(ME).header("origin", APP).another("origin", "https://evil.example");
    assert!(ask(&world, both).await["headers"].get("access-control-allow-origin").is_none());
}
