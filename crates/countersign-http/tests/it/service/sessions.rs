//! Sessions on the wire: seeing them, ending one, logging out of this or of all.

use http::Method;
use serde_json::{Value, json};

use crate::actors::{Draft, LOGOUT, LOGOUT_ALL, ME, ONE_SESSION, OWN_PATHS, SESSIONS, VERIFY, World};

/// The ids in a list of sessions.
fn ids(list: &Value) -> Vec<String> {
    let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn a_user_sees_their_sessions_with_this_one_marked() {
    let world = World::new();
    let laptop = world.user("ada").await;
    world.clock.advance_secs(90);
    let phone = laptop.another_device("ada").await;
    laptop.me().await.is(200);
    let list = laptop.get(SESSIONS).await.is(200).json();
    let [newest, current] = ids(&list).try_into().unwrap();
    assert_eq!(
        list,
        json!([
            {
                "id": newest, "current": false, "created_at": "2026-01-01T00:01:30Z",
                "last_seen_at": "2026-01-01T00:01:30Z", "expires_at": "2026-01-02T00:01:30Z",
                "address": "192.0.2.7", "client": "",
            },
            {
                "id": current, "current": true, "created_at": "2026-01-01T00:00:00Z",
                "last_seen_at": "2026-01-01T00:01:30Z", "expires_at": "2026-01-02T00:00:00Z",
                "address": "192.0.2.7", "client": "",
            },
        ])
    );
    assert_eq!(phone.get(SESSIONS).await.is(200).json()[0]["current"], true);
}

#[tokio::test]
async fn the_client_is_what_it_calls_itself_and_no_more_than_is_of_use() {
    let world = World::new();
    world.user("ada").await;
    let login = json!({"username": "ada", "password": crate::actors::PASSWORD});
    let agent = format!("Mozilla/5.0 {}", "x".repeat(500));
    let answer = world.send(Draft::post("/user/api/login/").json(&login).header("user-agent", &agent)).await;
    let access = answer.is(200).json()["access"].as_str().unwrap().to_owned();
    let list = world.send(Draft::get(SESSIONS).bearer(&access)).await.json();
    let current = list.as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(current["client"], agent[..200]);
}

#[tokio::test]
async fn logging_out_is_felt_in_the_next_request_and_on_this_device_alone() {
    let world = World::new();
    let laptop = world.user("ada").await;
    let phone = laptop.another_device("ada").await;
    assert_eq!(laptop.post(LOGOUT).await.is(200).json(), json!({}));
    let refused = laptop.me().await.is(401).json();
    assert_eq!(
        refused,
        json!({
            "detail": "Given token not valid for any token type", "code": "token_not_valid",
            "messages": [
                {"token_class": "AccessToken", "token_type": "access", "message": "Token is blacklisted"},
            ],
        })
    );
    assert_eq!(laptop.refresh().await.is(401).detail(), "Token is blacklisted");
    let verified = world.send(Draft::post(VERIFY).json(&json!({"token": laptop.access}))).await;
    assert_eq!(verified.is(400).json(), json!({"non_field_errors": ["Token is blacklisted"]}));
    phone.me().await.is(200);
    phone.refresh().await.is(200);
}

#[tokio::test]
async fn a_session_is_ended_by_its_id_and_only_by_its_user() {
    let world = World::new();
    let laptop = world.user("ada").await;
    let phone = laptop.another_device("ada").await;
    let bob = world.user("bob").await;
    let list = laptop.get(SESSIONS).await.json();
    let other = list.as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
    let path = format!("{SESSIONS}{}/", other["id"].as_str().unwrap());
    assert_eq!(bob.delete(&path).await.is(404).json(), json!({"detail": "Not found."}));
    phone.me().await.is(200);
    assert_eq!(laptop.delete(&path).await.is(204).text(), "");
    phone.me().await.is(401);
    laptop.delete(&path).await.is(404);
    laptop.delete(ONE_SESSION).await.is(404);
    assert_eq!(laptop.get(SESSIONS).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn logging_out_of_all_keeps_this_session_if_asked() {
    let world = World::new();
    let laptop = world.user("ada").await;
    let phone = laptop.another_device("ada").await;
    let kept = laptop.post(&format!("{LOGOUT_ALL}?except_current")).await.is(200);
    assert_eq!(kept.json(), json!({"sessions": 1}));
    phone.me().await.is(401);
    laptop.refresh().await.is(200);
    for query in ["?except_current=0", "?except_current=False", "?except_current=no"] {
        let tablet = laptop.another_device("ada").await;
        tablet.post(&format!("{LOGOUT_ALL}{query}")).await.is(200);
        tablet.me().await.is(401);
    }
    laptop.me().await.is(401);
}

#[tokio::test]
async fn a_token_without_a_session_cannot_log_out_of_it_and_is_told_what_can_be_done() {
    let world = World::new();
    world.user("ada").await;
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let refresh = world.tokens.refresh_for("1", None, "0123456789abcdef0123456789abcdef", now);
    let access = world.tokens.encode(&world.tokens.access_from(&refresh, "1", now));
    for path in [LOGOUT.to_owned(), format!("{LOGOUT_ALL}?except_current")] {
        let refused = world.send(Draft::post(&path).bearer(&access)).await.is(400);
        assert_eq!(
            refused.detail(),
            "This token belongs to no session. Blacklist its refresh token to log out."
        );
    }
    assert_eq!(
        world.send(Draft::post(LOGOUT_ALL).bearer(&access)).await.is(200).json(),
        json!({"sessions": 1})
    );
}

#[tokio::test]
async fn the_endpoints_of_sessions_keep_the_order_of_checks_and_say_what_they_allow() {
    let world = World::new();
    let ada = world.user("ada").await;
    for path in OWN_PATHS {
        let allowed = match path {
            SESSIONS => "GET, HEAD, OPTIONS",
            ONE_SESSION => "DELETE, OPTIONS",
            _ => "POST, OPTIONS",
        };
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            let answer = world.send(Draft::new(method, path)).await.is(401);
            assert_eq!(answer.all("allow"), [allowed]);
        }
        let put = Draft::new(Method::PUT, path).bearer(&ada.access);
        assert_eq!(world.send(put).await.is(405).detail(), "Method \"PUT\" not allowed.");
        let options = Draft::new(Method::OPTIONS, path).bearer(&ada.access);
        let metadata = world.send(options).await.is(200).json();
        assert_eq!(metadata["actions"].is_object(), allowed.starts_with("POST"), "{path}");
        let without_slash = path.trim_end_matches('/');
        let redirected = world.service.answer(Draft::get(without_slash).request(), None).await;
        assert_eq!(redirected.headers()["location"], path);
    }
    for path in ["/user/api/sessions/a-b/", "/user/api/sessions/a/b/", "/user/api/sessions//"] {
        ada.get(path).await.is(404);
    }
    ada.get(ME).await.is(200);
}

#[tokio::test]
async fn logging_out_needs_no_body_and_minds_none() {
    let world = World::new();
    let ada = world.user("ada").await;
    for (content_type, body) in [("application/json", "null"), ("application/json", "{"), ("text/plain", "x")]
    {
        let device = ada.another_device("ada").await;
        let draft =
            Draft::post(LOGOUT).bearer(&device.access).header("content-type", content_type).body(body);
        world.send(draft).await.is(200);
        device.me().await.is(401);
    }
}
