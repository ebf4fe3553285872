//! What a request is called, and what is recorded of one that is refused.

use std::collections::BTreeSet;

use countersign_auth::Throttles;
use serde_json::json;

use crate::actors::{Answer, BLACKLIST, Draft, LOGIN, ME, PASSWORD, REFRESH, REGISTER, VERIFY, World};

fn name(answer: &Answer) -> String {
    let [name] = answer.all("x-request-id").try_into().unwrap();
    name.to_owned()
}

/// Why this answer was a refusal, a line for each thing that is known.
async fn why(world: &World, answer: &Answer) -> Vec<String> {
    world.service.auth().record_audit().await.unwrap();
    let refusals = world.store.refusals_of(&name(answer)).await.unwrap();
    let lines = refusals.into_iter().flat_map(|refusal| refusal.details);
    lines.map(|(name, value)| format!("{name}: {value}")).collect()
}

#[tokio::test]
async fn each_answer_names_its_request_by_the_given_name_or_by_one_of_its_own() {
    let world = World::slowing_down(Throttles::default(), &["192.0.2.0/24"]);
    let mut names = BTreeSet::new();
    for path in [ME, "/", "/nowhere", "/user/api/me"] {
        assert!(names.insert(name(&world.send(Draft::get(path)).await)), "{path}");
    }
    let given = world.send(Draft::get(ME).header("x-request-id", "from-a-proxy")).await;
    assert_eq!(name(&given), "from-a-proxy");
    let elsewhere = World::slowing_down(Throttles::default(), &["198.51.100.0/24"]);
    for world in [elsewhere, World::new()] {
        let strangers = world.send(Draft::get(ME).header("x-request-id", "from-a-proxy")).await;
        assert_ne!(name(&strangers), "from-a-proxy", "they are none of our proxies");
    }
    let unfit = world.send(Draft::get(ME).header("x-request-id", "not sane")).await;
    assert!(names.insert(name(&unfit)));
}

#[tokio::test]
async fn what_is_refused_is_told_by_code_rule_and_what_was_found_of_the_token() {
    let world = World::new();
    let ada = world.user("ada").await;
    let login = json!({"username": "ada", "password": "a wrong one"});
    let answer = world.send(Draft::post(LOGIN).json(&login)).await.is(401);
    let of_login = ["route: /user/api/login/", "status: 401", "code: no_active_account"];
    assert_eq!(why(&world, &answer).await, [&of_login[..], &["rule: wrong_password", "user: 1"]].concat());
    let nobody = json!({"username": "nobody", "password": "a wrong one"});
    let answer = world.send(Draft::post(LOGIN).json(&nobody)).await.is(401);
    assert_eq!(why(&world, &answer).await, [&of_login[..], &["rule: unknown_user"]].concat());
    let answer = world.send(Draft::post(REGISTER).json(&json!({"username": "ada", "password": "1"}))).await;
    let said = why(&world, &answer.is(400)).await;
    assert_eq!(said[2..], ["code: invalid", "fields: username: unique", "rule: fields"]);
    let answer = world.send(Draft::get(ME)).await.is(401);
    assert_eq!(why(&world, &answer).await[2..], ["code: not_authenticated"]);
    let answer = world.send(Draft::get(ME).bearer("no token")).await.is(401);
    assert_eq!(why(&world, &answer).await[2..], ["code: bad_authorization_header"]);
    let session = ada.get("/user/api/sessions/").await.json()[0]["id"].as_str().unwrap().to_owned();
    ada.post("/user/api/logout/").await.is(200);
    let of_token = |generation: bool| {
        let presented = generation.then(|| "presented_generation: 0".to_owned());
        let known = ["rule: token_blacklisted_or_session_ended".to_owned(), "key: configured".to_owned()];
        let of_session = ["user: 1".to_owned(), format!("session: {session}")];
        let current = ["current_generation: 0".to_owned()];
        known.into_iter().chain(of_session).chain(presented).chain(current).collect::<Vec<_>>()
    };
    let answer = ada.me().await.is(401);
    assert_eq!(why(&world, &answer).await[3..], of_token(false));
    for path in [REFRESH, BLACKLIST] {
        let answer = world.send(Draft::post(path).json(&json!({"refresh": ada.refresh}))).await.is(401);
        assert_eq!(why(&world, &answer).await[3..], of_token(true), "{path}");
    }
    let answer = world.send(Draft::post(VERIFY).json(&json!({"token": ada.access}))).await.is(400);
    assert_eq!(why(&world, &answer).await[3..], of_token(false));
    let answer = world.send(Draft::post(VERIFY).json(&json!({"token": "none"}))).await.is(401);
    assert_eq!(why(&world, &answer).await[3..], ["rule: token_malformed_or_forged"]);
    let answer = world.send(Draft::get(ME).header("host", "evil.example")).await.is(400);
    assert_eq!(why(&world, &answer).await[2..], ["code: disallowed_host"]);
}

#[tokio::test]
async fn what_is_served_and_what_there_is_not_are_no_refusals() {
    let world = World::new();
    let ada = world.user("ada").await;
    for answer in [ada.me().await.is(200), world.send(Draft::get("/nowhere")).await.is(404)] {
        assert_eq!(why(&world, &answer).await, [""; 0]);
    }
}

/// Whoever sends a token where none belongs does not find it in a table.
#[tokio::test]
async fn no_token_and_no_password_is_recorded_with_a_refusal() {
    let world = World::new();
    let ada = world.user("ada").await;
    let broken = format!("{}x", ada.access);
    let drafts = [
        Draft::get(ME).bearer(&broken).header("x-request-id", &ada.access),
        Draft::get(&format!("{ME}?format={}", ada.access)),
        Draft::post(LOGIN).json(&json!({"username": PASSWORD, "password": PASSWORD, PASSWORD: 1})),
        Draft::post(LOGIN).header("content-type", &ada.access).body(PASSWORD),
        Draft::post(LOGIN).json(&json!([PASSWORD])),
        Draft::post(LOGIN).header("content-type", "application/json").body(PASSWORD),
        Draft::new(ada.access.replace('.', "-").parse().unwrap(), ME),
        Draft::post(REFRESH).json(&json!({"refresh": format!("{}.{}", PASSWORD, ada.refresh)})),
    ];
    for draft in drafts {
        let answer = world.send(draft).await;
        let said = why(&world, &answer).await.join("; ");
        assert!(said.contains("code: "), "{said}");
        for secret in [PASSWORD, &ada.access, &ada.refresh, &ada.access.replace('.', "-")] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}
