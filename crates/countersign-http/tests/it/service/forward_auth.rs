//! `/auth/verify`: what a proxy learns of a request.

use countersign_store::UserChange;
use http::Method;

use crate::actors::{Answer, Draft, LOGOUT, World};

const VERIFY: &str = "/auth/verify";

async fn asks(world: &World, query: &str, token: &str) -> Answer {
    // As a proxy hands it on: with what the browser had sent for a picture.
    let draft =
        Draft::get(&format!("{VERIFY}{query}")).bearer(token).header("accept", "image/avif,image/webp");
    world.send(draft).await
}

#[tokio::test]
async fn who_is_logged_in_passes_and_is_named_until_the_logout() {
    let world = World::new();
    let ada = world.user("ada").await;
    let passed = asks(&world, "", &ada.access).await.is(200);
    assert_eq!(passed.all("x-user-name"), ["ada"]);
    assert_eq!(passed.all("x-user-id").len(), 1);
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
    for query in ["?groups=editors", "?group=", "?group=a,,b", "?permission", "?group=a&group=b", "?Staff"] {
        asks(&world, query, &ada.access).await.is(400);
    }
}

#[tokio::test]
async fn a_name_beyond_ascii_is_percent_encoded() {
    let world = World::new();
    let user = world.user("zoë+1").await;
    let passed = asks(&world, "", &user.access).await.is(200);
    assert_eq!(passed.all("x-user-name"), ["zo%C3%AB+1"]);
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
