//! When the service cannot do its work it says so, and when to come back.

use std::task::{Context, Poll, Waker};

use countersign_password::Preferred;
use serde_json::json;
use tracing::Level;

use crate::actors::{Answer, Draft, LOGIN, ME, REFRESH, REGISTER, VERIFY, World};
use crate::log::Log;

const SENTENCE: &str = "Service temporarily unavailable, try again later.";

fn assert_unavailable(answer: Answer) {
    let answer = answer.is(503);
    assert_eq!(answer.detail(), SENTENCE);
    assert_eq!(answer.all("retry-after"), ["2"]);
    assert_eq!(answer.all("allow").len(), 1);
}

#[tokio::test]
async fn a_login_storm_is_turned_away_at_the_door_and_the_rest_goes_on() {
    // Slow enough that few wait for each worker, and none gets through them while the storm is let loose.
    let world = World::hashing_with(Preferred::DJANGO_PBKDF2);
    let log = Log::listen();
    let workers = std::thread::available_parallelism().unwrap().get();
    let storm_of_logins = 500 * workers;
    let credentials = json!({"username": "nobody", "password": "wrong"});
    let mut waiting = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..storm_of_logins {
        let mut login = Box::pin(world.send(Draft::post(LOGIN).json(&credentials)));
        match login.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => waiting.push(login),
            Poll::Ready(answer) => refused.push(answer),
        }
    }
    assert!(waiting.len() >= workers && !refused.is_empty(), "{} wait", waiting.len());
    assert_eq!((log.count(Level::ERROR), log.count(Level::DEBUG)), (0, refused.len()));
    refused.into_iter().for_each(assert_unavailable);
    world.send(Draft::post(VERIFY).json(&json!({"token": "x"}))).await.is(401);
    drop(waiting); // those who hang up make room at once
    world.send(Draft::post(LOGIN).json(&credentials)).await.is(401);
}

#[tokio::test]
async fn a_database_that_is_damaged_is_no_error_of_the_client() {
    let world = World::new();
    let midnight = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut claims = world.tokens.refresh_for("1", None, "0", midnight);
    let (refresh, lone) = (world.tokens.encode(&claims), world.tokens.access_from(&claims, "1", midnight));
    // Of a session, whose table nobody has read yet: what has been read is in a cache, and not damaged.
    world.tokens.add_own(&mut claims, &[], Some("0123456789abcdef0123456789abcdef"));
    let access = world.tokens.encode(&world.tokens.access_from(&claims, "2", midnight));
    for file in ["db.sqlite3", "db.sqlite3-wal"] {
        std::fs::write(world.directory.path().join(file), "").unwrap();
    }
    let log = Log::listen();
    let account = json!({"username": "ada", "password": "a-long-enough-secret"});
    for draft in [
        Draft::post(LOGIN).json(&account),
        Draft::post(REGISTER).json(&account),
        Draft::post(REFRESH).json(&json!({"refresh": refresh})),
        Draft::get(ME).bearer(&access),
    ] {
        assert_unavailable(world.send(draft).await);
    }
    assert_eq!(log.count(Level::ERROR), 4);
    world.send(Draft::post(VERIFY).json(&json!({"token": world.tokens.encode(&lone)}))).await.is(200);
    let page = world.send(Draft::get(ME).bearer(&access).header("accept", "text/html")).await.is(503);
    assert!(page.text().contains(SENTENCE) && !page.text().contains("sqlite"), "{page:?}");
}
