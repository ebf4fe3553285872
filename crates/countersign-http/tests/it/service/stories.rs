//! What happens to people and their tokens as time goes by.

use serde_json::json;

use crate::actors::{Draft, PASSWORD, REFRESH, SLIDING_LOGIN, SLIDING_REFRESH, VERIFY, World};

const FIVE_MINUTES: i64 = 300;
const ONE_DAY: i64 = 86_400;

#[tokio::test]
async fn an_access_token_ends_after_five_minutes_and_a_refresh_token_after_a_day() {
    let world = World::new();
    let mut ada = world.user("ada").await;
    world.clock.advance_secs(FIVE_MINUTES - 1);
    ada.me().await.is(200);
    world.clock.advance_secs(1);
    let refused = ada.me().await.is(401).json();
    assert_eq!(refused["messages"][0]["message"], "Token is expired");
    ada.access = ada.refresh().await.is(200).json()["access"].as_str().unwrap().to_owned();
    ada.me().await.is(200);
    world.clock.advance_secs(ONE_DAY - FIVE_MINUTES - 1);
    ada.refresh().await.is(200);
    world.clock.advance_secs(1);
    assert_eq!(ada.refresh().await.is(401).detail(), "Token is expired");
}

#[tokio::test]
async fn a_deleted_user_is_refused_everywhere_and_nothing_breaks() {
    let world = World::new();
    let ada = world.user("ada").await;
    let brian = world.user("brian").await;
    ada.refresh().await.is(200);
    let id = world.store.find_user_by_username("ada").await.unwrap().unwrap().id;
    world.store.delete_user(id).await.unwrap();
    assert_eq!(
        ada.refresh().await.is(401).json(),
        json!({"detail": "No active account found for the given token."})
    );
    assert_eq!(ada.me().await.is(401).json()["code"], "user_not_found");
    world.anon().log_in("ada", PASSWORD).await.is(401);
    ada.blacklist().await.is(200);
    assert_eq!(ada.refresh().await.is(401).detail(), "Token is blacklisted");
    brian.refresh().await.is(200);
    brian.me().await.is(200);
}

#[tokio::test]
async fn the_name_of_a_deleted_user_is_free_but_her_tokens_open_no_door_to_the_next() {
    let world = World::new();
    let ada = world.user("ada").await;
    let id = world.store.find_user_by_username("ada").await.unwrap().unwrap().id;
    world.store.delete_user(id).await.unwrap();
    let second = world.user("ada").await;
    second.me().await.is(200);
    ada.me().await.is(401);
    ada.refresh().await.is(401);
}

#[tokio::test]
async fn blacklisting_ends_one_session_and_leaves_the_others() {
    let world = World::new();
    let ada = world.user("ada").await;
    let again = world.anon().log_in("ada", PASSWORD).await.is(200).json();
    assert_eq!(ada.blacklist().await.is(200).text(), "{}");
    for answer in [ada.refresh().await, ada.blacklist().await] {
        assert_eq!(answer.is(401).detail(), "Token is blacklisted");
    }
    ada.me().await.is(200);
    world.anon().post(REFRESH, &json!({"refresh": again["refresh"]})).await.is(200);
}

#[tokio::test]
async fn a_token_of_one_kind_is_no_good_as_another() {
    let world = World::new();
    let ada = world.user("ada").await;
    let anon = world.anon();
    for token in [&ada.access, &ada.refresh] {
        anon.post(VERIFY, &json!({"token": token})).await.is(200);
        assert_eq!(
            anon.post(SLIDING_REFRESH, &json!({"token": token})).await.is(401).detail(),
            "Token has wrong type"
        );
    }
    assert_eq!(
        anon.post(REFRESH, &json!({"refresh": ada.access})).await.is(401).detail(),
        "Token has wrong type"
    );
    world.send(Draft::get(crate::actors::ME).bearer(&ada.refresh)).await.is(401);
}

#[tokio::test]
async fn a_sliding_token_slides_until_it_was_left_to_expire() {
    let world = World::new();
    world.user("ada").await;
    let anon = world.anon();
    let credentials = json!({"username": "ada", "password": PASSWORD});
    let mut token = anon.post(SLIDING_LOGIN, &credentials).await.is(200).json();
    for _ in 0..3 {
        world.clock.advance_secs(FIVE_MINUTES - 1);
        token = anon.post(SLIDING_REFRESH, &token).await.is(200).json();
    }
    world.clock.advance_secs(FIVE_MINUTES);
    anon.post(SLIDING_REFRESH, &token).await.is(401);
}
