//! A refused login is answered with the same bytes, whatever the reason.

use countersign_domain::PasswordHash;
use countersign_store::UserChange;
use serde_json::json;

use super::{Received, Server};
use crate::actors::{LOGIN, PASSWORD, SLIDING_LOGIN, World};

/// Of "yourpassword", as a Django made it.
const IMPORTED: &str = "pbkdf2_sha1$1000$AbCdEfGhIjKlMnOpQrStUv$czliNz2YGCcNL7hQTU3AdyTuQxs=";

/// Somebody of each kind, and a password of theirs that does not let them in.
async fn people(world: &World) -> Vec<(&'static str, &'static str)> {
    let mut people = vec![("unknown", PASSWORD)];
    for (name, password, hash, is_active) in [
        ("wrong", "wrong", None, None),
        ("inactive", PASSWORD, None, Some(false)),
        ("unusable", PASSWORD, Some("!nobody logs in with this"), None),
        ("foreign", PASSWORD, Some("crypt$of$another framework"), None),
        ("imported", "wrong", Some(IMPORTED), None),
        ("inactive_imported", "yourpassword", Some(IMPORTED), Some(false)),
    ] {
        world.anon().register(name, PASSWORD).await.is(201);
        let user = world.store.find_user_by_username(name).await.unwrap().unwrap();
        let password_hash = hash.map(|hash| PasswordHash::new(hash.to_owned()));
        let change = UserChange { password_hash, is_active, ..UserChange::default() };
        assert!(world.store.update_user(user.id, change).await.unwrap());
        people.push((name, password));
    }
    people
}

#[tokio::test]
async fn refused_logins_are_answered_with_the_same_bytes() {
    let world = World::new();
    let people = people(&world).await;
    let server = Server::start(&world).await;
    for path in [LOGIN, SLIDING_LOGIN, "/user/api/login/?format=api"] {
        let mut client = server.client().await;
        let mut first: Option<Received> = None;
        for (username, password) in &people {
            let body = json!({"username": username, "password": password}).to_string();
            let mut answer = client.post(path, &body).await.receive().await.is(401);
            answer.headers.retain(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
            assert_eq!(first.get_or_insert_with(|| answer.clone()), &answer, "{path} {username}");
        }
    }
}
