//! Heads of requests: targets, methods, and headers that are long, repeated or odd.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tracing::Level;

use crate::actors::{Draft, LOGIN, ME, PASSWORD, PATHS, VERIFY, World};
use crate::log::Log;

#[tokio::test]
async fn every_refusal_of_an_endpoint_says_which_methods_it_allows() {
    let world = World::new();
    for path in PATHS {
        let allowed = if path == ME { "GET, HEAD, OPTIONS" } else { "POST, OPTIONS" };
        let refusals = [
            (Draft::new(Method::DELETE, path), if path == ME { 401 } else { 405 }),
            (Draft::post(path).header("accept", "image/png"), 406),
            (Draft::post(&format!("{path}?format=yaml")), 404),
            (Draft::post(path).body("x"), if path == ME { 401 } else { 415 }),
            (Draft::post(path), if path == ME { 401 } else { 400 }),
        ];
        for (draft, status) in refusals {
            assert_eq!(world.send(draft).await.is(status).all("allow"), [allowed], "{path}");
        }
    }
}

#[tokio::test]
async fn a_page_of_the_server_itself_names_no_methods() {
    let world = World::new();
    let long = "x".repeat(8190);
    for (draft, status) in [
        (Draft::get("/nope"), 404),
        (Draft::get(LOGIN.trim_end_matches('/')), 301),
        (Draft::get(LOGIN).header("host", "elsewhere.example"), 400),
        (Draft::get(LOGIN).header("x-long", &long), 431),
        (Draft::get(&format!("{LOGIN}?{}", &long[..4096])), 414),
        (Draft::new(Method::from_bytes(b"get").unwrap(), LOGIN), 400),
    ] {
        assert!(!world.send(draft).await.is(status).headers.contains_key("allow"));
    }
}

#[tokio::test]
async fn only_a_redirect_and_the_page_for_a_foreign_host_may_be_framed() {
    let world = World::new();
    let foreign = Draft::get(LOGIN).header("host", "elsewhere.example");
    assert!(world.send(foreign).await.is(400).all("x-frame-options").is_empty());
    let without_slash = Draft::get("/user/api/me");
    assert!(world.send(without_slash).await.is(301).all("x-frame-options").is_empty());
    for (draft, status) in [(Draft::get("/nope"), 404), (Draft::get(LOGIN), 405), (Draft::get(ME), 401)] {
        assert_eq!(world.send(draft).await.is(status).all("x-frame-options"), ["DENY"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_operator_learns_once_in_a_while_which_host_is_not_allowed() {
    let world = World::new();
    let log = Log::listen();
    let ask = async |host: &str| world.send(Draft::get(LOGIN).header("host", host)).await.is(400);
    ask("API.example.com:8000").await;
    ask("other.example.com").await;
    let told = log.texts(Level::WARN);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("api.example.com\"") && told[0].contains("ALLOWED_HOSTS"), "{told:?}");
    tokio::time::advance(Duration::from_secs(60)).await;
    ask(&"x".repeat(5000)).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    ask("<b>").await;
    let told = log.texts(Level::WARN);
    assert!(told.len() == 3 && told[1].len() < 300 && !told[2].contains("<b>"), "{told:?}");
}

#[tokio::test]
async fn head_is_answered_like_get() {
    let world = World::new();
    let ada = world.user("ada").await;
    for draft in [Draft::get(ME).bearer(&ada.access), Draft::get(ME), Draft::get("/nowhere/")] {
        let head = Draft { method: Method::HEAD, ..draft.clone() };
        assert_eq!(world.send(head).await, world.send(draft).await);
    }
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_named_in_the_refusal() {
    let world = World::new();
    for method in ["PUT", "TRACE", "PROPFIND", "FOO", "A-B"] {
        let draft = Draft::new(Method::from_bytes(method.as_bytes()).unwrap(), LOGIN);
        let answer = world.send(draft).await.is(405);
        assert_eq!(answer.detail(), format!("Method \"{method}\" not allowed."));
    }
    for odd in ["post", "Post", "PO", "A#B", "ABCDEFGHIJKLMNOPQRSTU"] {
        let draft = Draft::new(Method::from_bytes(odd.as_bytes()).unwrap(), LOGIN);
        assert!(world.send(draft).await.is(400).text().contains("Bad Request (400)"), "{odd}");
    }
}

#[tokio::test]
async fn the_longest_request_line_and_header_pass_and_longer_ones_do_not() {
    let world = World::new();
    let fixed = "GET ".len() + ME.len() + "?".len() + " HTTP/1.1".len();
    for (length, status) in [(4094, 401), (4095, 414)] {
        let query = "q".repeat(length - fixed);
        world.send(Draft::get(&format!("{ME}?{query}"))).await.is(status);
    }
    for (length, status) in [(8188, 401), (8191, 431)] {
        let value = "v".repeat(length - "x-long: ".len());
        world.send(Draft::get(ME).header("x-long", &value)).await.is(status);
    }
}

#[tokio::test]
async fn a_path_is_matched_after_decoding_it_once() {
    let world = World::new();
    let ada = world.user("ada").await;
    for (path, status) in [
        ("/user/api/%6de/", 200),
        ("/user%2Fapi%2fme/", 200),
        ("/%75%73%65%72/%61%70%69/%6D%65%2F", 200),
        ("/user/api/%256de/", 404),
        ("/user/api/m%65", 301),
        ("/user/api//me/", 404),
        ("/user/./api/me/", 404),
        ("/user/x/../api/me/", 404),
        ("/USER/api/me/", 404),
        ("/user/api/me/%0A", 404),
        ("/user/api/me//", 404),
        ("/user/api/me/%00", 404),
        ("/user/api/me%FF/", 404),
        ("/user/api/me%/", 404),
        ("/user/api/me;a=b/", 404),
    ] {
        let answer = world.send(Draft::get(path).bearer(&ada.access)).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_redirect_keeps_the_query_and_can_lead_to_no_other_host() {
    let world = World::new();
    for (target, location) in [
        ("/user/api/me?next=//evil.example&q=%C3%A9", "/user/api/me/?next=//evil.example&q=%C3%A9"),
        ("/user/api/me?", "/user/api/me/"),
        ("http://evil.example/user/api/me", "/user/api/me/"),
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = world.send(Draft::new(method, target)).await.is(301);
            assert_eq!(answer.all("location"), [location]);
            assert_eq!(answer.text(), "");
        }
    }
    world.send(Draft::get("//evil.example/user/api/me")).await.is(404);
}

#[tokio::test]
async fn several_accept_lines_count_as_one() {
    let world = World::new();
    for (first, second, status, media_type) in [
        ("image/png", "application/json", 405, "application/json"),
        ("text/html", "application/json", 405, "application/json"),
        ("image/png", "text/html", 405, "text/html; charset=utf-8"),
        ("image/png", "image/gif", 406, "application/json"),
    ] {
        let draft = Draft::get(LOGIN).header("accept", first).another("accept", second);
        assert_eq!(world.send(draft).await.is(status).all("content-type"), [media_type]);
    }
}

#[tokio::test]
async fn several_authorization_or_host_lines_are_never_trusted() {
    let world = World::new();
    let ada = world.user("ada").await;
    let twice =
        Draft::get(ME).bearer(&ada.access).another("authorization", &format!("Bearer {}", ada.access));
    assert_eq!(world.send(twice).await.is(401).json()["code"], "bad_authorization_header");
    let basic_first =
        Draft::get(ME).header("authorization", "Basic eA==").another("authorization", "Bearer x");
    let answer = world.send(basic_first).await.is(401);
    assert_eq!(answer.detail(), "Authentication credentials were not provided.");
    for other in ["auth.example", "elsewhere.example", ""] {
        let draft = Draft::get(ME).bearer(&ada.access).another("host", other);
        world.send(draft).await.is(400);
    }
}

#[tokio::test]
async fn only_two_words_of_the_right_scheme_are_a_bearer_token() {
    let world = World::new();
    let ada = world.user("ada").await;
    for (header, status, code) in [
        (format!("Bearer {}", ada.access), 200, None),
        (format!("\t Bearer \t {}  ", ada.access), 200, None),
        (format!("bearer {}", ada.access), 401, None),
        (format!("Bearer{}", ada.access), 401, None),
        (String::new(), 401, None),
        ("Bearer".to_owned(), 401, Some("bad_authorization_header")),
        (format!("Bearer {} x", ada.access), 401, Some("bad_authorization_header")),
        (format!("Bearer {}é", ada.access), 401, Some("token_not_valid")),
        (format!("Bearer {}", ada.refresh), 401, Some("token_not_valid")),
    ] {
        let answer = world.send(Draft::get(ME).header("authorization", &header)).await.is(status);
        assert_eq!(answer.json().get("code").and_then(|code| code.as_str()), code, "{header}");
    }
}

#[tokio::test]
async fn options_describes_an_endpoint_and_looks_at_no_body() {
    let world = World::new();
    for path in PATHS.into_iter().filter(|path| *path != ME) {
        let draft = Draft::new(Method::OPTIONS, path).header("content-type", "text/plain").body("{");
        let metadata = world.send(draft).await.is(200).json();
        assert_eq!(metadata["renders"], json!(["application/json", "text/html"]));
        assert!(metadata["actions"]["POST"].as_object().is_some_and(|fields| !fields.is_empty()), "{path}");
    }
}

#[tokio::test]
async fn a_page_for_browsers_cannot_be_made_to_carry_markup() {
    let world = World::new();
    let browser = |path| Draft::post(path).header("accept", "text/html").body("x");
    let script = "<script>alert(\"1\")</script>&amp;'";
    for draft in [
        browser(VERIFY).header("content-type", script),
        browser(VERIFY).header("content-type", &format!("multipart/form-data; boundary=\"{script} \"")),
        browser(VERIFY).header("content-type", &format!("MULTIPART/form-data; x={script}")),
    ] {
        let as_json = world.send(draft.clone().header("accept", "application/json")).await;
        assert!(as_json.detail().contains("<script>"), "what would be dangerous is there: {as_json:?}");
        let page = world.send(draft).await.is(as_json.status.as_u16());
        assert_eq!(page.all("content-type"), ["text/html; charset=utf-8"]);
        assert!(!page.text().contains("<script") && page.text().contains("&lt;script&gt;"), "{page:?}");
    }
}

#[tokio::test]
async fn a_page_for_browsers_has_the_status_of_the_answer() {
    let world = World::new();
    let ada = world.user("ada").await;
    let wrong = json!({"username": "ada", "password": "wrong"});
    for (draft, status) in [
        (Draft::get(ME).bearer(&ada.access), 200),
        (Draft::get(ME), 401),
        (Draft::get(LOGIN), 405),
        (Draft::post(LOGIN).json(&wrong), 401),
        (Draft::post(LOGIN).json(&json!({"username": "ada", "password": PASSWORD})), 200),
    ] {
        let page = world.send(draft.header("accept", "text/html")).await.is(status);
        assert!(page.text().contains(&format!("HTTP {status}")), "{page:?}");
    }
}
