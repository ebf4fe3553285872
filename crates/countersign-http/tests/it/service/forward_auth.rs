//! `/auth/verify`: what a proxy learns of a request.

use countersign_store::{Source, UserChange};
use http::Method;
use serde_json::json;

use crate::actors::{Answer, Draft, LOGOUT, World};

const VERIFY: &str = "/auth/verify";

async fn asks(world: &World, query: &str, token: &str) -> Answer {
    // As a proxy hands it on: with what the browser had sent for a picture.
    let draft =
        Draft::get(&format!("{VERIFY}{query}")).bearer(token).header("accept", "image/avif,image/webp");
    world.send(draft).await
}

/// The access token of a user of a Django's who is in this group.
async fn member_of(world: &World, group: &str) -> String {
    let fixture = json!([
        {"model": "auth.group", "pk": 1, "fields": {"name": group, "permissions": []}},
        {"model": "auth.user", "pk": 1, "fields": {
            "username": "ada", "password": "!", "email": "", "first_name": "", "last_name": "", "last_login": null,
            "is_active": true, "is_staff": false, "is_superuser": false, "date_joined": "2026-01-01T00:00:00Z",
            "groups": [1], "user_permissions": [],
        }},
    ]);
    let source = Source::from_fixture("a fixture", fixture.to_string().as_bytes()).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    source.copy_into(Some(&world.store), now, |_| {}).await.unwrap();
    let refresh = world.tokens.refresh_for("1", None, "0", now);
    world.tokens.encode(&world.tokens.access_from(&refresh, "1", now))
}

#[tokio::test]
async fn who_is_logged_in_passes_and_is_named_until_the_logout() {
    let world = World::new();
    let ada = world.user("ada").await;
    let passed = asks(&world, "", &ada.access).await.is(200);
    assert_eq!(passed.all("x-user-name"), ["ada"]);
    let user = world.store.find_user_by_username("ada").await.unwrap().unwrap();
    assert_eq!(passed.all("x-user-id"), [user.id.to_string()]);
    assert_eq!(passed.all("x-user-groups"), [""], "always there, so that a client's own never passes");
    ada.post(LOGOUT).await.is(200);
    let refused = asks(&world, "", &ada.access).await.is(401);
    assert!(refused.all("x-user-name").is_empty());
}

#[tokio::test]
async fn nobody_and_a_forged_token_do_not_pass() {
    let world = World::new();
    let refused = world.send(Draft::get(VERIFY)).await.is(401);
    assert_eq!(refused.detail(), "Authentication credentials were not provided.");
    asks(&world, "", "a.b.c").await.is(401);
}

#[tokio::test]
async fn only_staff_pass_where_staff_is_asked_for() {
    let world = World::new();
    let ada = world.user("ada").await;
    let refused = asks(&world, "?staff", &ada.access).await.is(403);
    assert_eq!(refused.detail(), "You do not have permission to perform this action.");
    let user = world.store.find_user_by_username("ada").await.unwrap().unwrap();
    let change = UserChange { is_staff: Some(true), ..UserChange::default() };
    world.store.update_user(user.id, change).await.unwrap();
    asks(&world, "?staff", &ada.access).await.is(200);
    asks(&world, "?staff&superuser", &ada.access).await.is(403);
    asks(&world, "?staff=0&superuser=0", &ada.access).await.is(200);
    for query in ["?group=editors", "?permission=auth.view_user", "?group=a,b&permission=a.b"] {
        asks(&world, query, &ada.access).await.is(403);
    }
}

#[tokio::test]
async fn a_superuser_has_every_permission_and_is_in_no_group() {
    let world = World::new();
    let ada = world.user("ada").await;
    let user = world.store.find_user_by_username("ada").await.unwrap().unwrap();
    let change = UserChange { is_superuser: Some(true), ..UserChange::default() };
    world.store.update_user(user.id, change).await.unwrap();
    asks(&world, "?superuser&permission=auth.view_user,shop.sell", &ada.access).await.is(200);
    asks(&world, "?group=editors", &ada.access).await.is(403);
}

#[tokio::test]
async fn what_is_misspelt_empty_or_said_twice_lets_nobody_through() {
    let world = World::new();
    let ada = world.user("ada").await;
    let long = format!("?permission=shop.{}", "x".repeat(101));
    let wide = format!("?group={}", "x".repeat(151));
    let impossible =
        ["?permission=x", "?permission=.x", "?permission=shop.", "?permission=a-b.c", &long, &wide];
    let misspelt = ["?groups=editors", "?group=", "?group=a,,b", "?permission", "?group=a&group=b", "?Staff"];
    for query in impossible.into_iter().chain(misspelt) {
        asks(&world, query, &ada.access).await.is(400);
    }
}

#[tokio::test]
async fn what_is_special_in_a_name_is_percent_encoded() {
    let world = World::new();
    for (name, encoded) in [("zoë+1", "zo%C3%AB%2B1"), ("a.b-c_d@example.com", "a.b-c_d@example.com")] {
        let user = world.user(name).await;
        let passed = asks(&world, "", &user.access).await.is(200);
        assert_eq!(passed.all("x-user-name"), [encoded]);
    }
    let world = World::new();
    let ada = member_of(&world, "R&D, \"all\"; x=y").await;
    let passed = asks(&world, "", &ada).await.is(200);
    assert_eq!(passed.all("x-user-groups"), ["R%26D%2C%20%22all%22%3B%20x%3Dy"]);
}

#[tokio::test]
async fn no_header_of_the_client_changes_what_the_proxy_asks_for() {
    let world = World::new();
    let ada = member_of(&world, "Gäste").await;
    for charset in ["utf-8", "latin-1", "utf-16", "nonsense"] {
        let of_client = format!("application/json; charset={charset}");
        let ask = |query: &str| {
            let draft = Draft::get(&format!("{VERIFY}?group={query}")).bearer(&ada);
            world.send(draft.header("content-type", &of_client).header("host", "app.example"))
        };
        ask("G%C3%A4ste").await.is(200);
        ask("G%E4ste").await.is(403);
        ask("G%C3%83%C2%A4ste").await.is(403);
        ask("editor").await.is(403);
    }
}

#[tokio::test]
async fn the_path_has_no_slash_at_its_end() {
    let world = World::new();
    world.send(Draft::get("/auth/verify/")).await.is(404);
    world.send(Draft::get("/auth")).await.is(404);
    world.send(Draft::post(VERIFY)).await.is(401);
}

#[tokio::test]
async fn a_proxy_that_asks_with_the_clients_own_method_gets_no_leave_by_a_description() {
    let world = World::new();
    let ada = world.user("ada").await;
    for method in [Method::OPTIONS, Method::POST, Method::PUT, Method::DELETE] {
        let draft = Draft::new(method.clone(), "/auth/verify?superuser").bearer(&ada.access);
        let refused = world.send(draft).await.is(405);
        assert_eq!(refused.all("allow"), ["GET, HEAD"], "{method}");
    }
    world.send(Draft::new(Method::HEAD, "/auth/verify?superuser").bearer(&ada.access)).await.is(403);
    world.send(Draft::new(Method::OPTIONS, VERIFY)).await.is(401);
}
