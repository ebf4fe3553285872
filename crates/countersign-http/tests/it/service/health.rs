//! The probes: whether the server lives, and whether it is ready.

use countersign_auth::{Health, Verdict};
use http::Method;

use crate::actors::{Answer, Draft, World};

const GOOD: Health = Health {
    database: Verdict::Good,
    migrations: Verdict::Good,
    keys: Verdict::Good,
    disk: Verdict::Good,
    is_for_a_restart: false,
};

async fn probe(world: &World, path: &str) -> Answer {
    world.send(Draft::get(path)).await
}

#[tokio::test]
async fn a_probe_is_answered_by_any_name_in_both_methods_and_is_not_kept() {
    let world = World::new();
    world.service.found(GOOD);
    for path in ["/healthz", "/readyz"] {
        for host in ["auth.example", "10.1.2.3:8000", "[fe80::1]", "nobody.example", "no host at all!"] {
            for method in [Method::GET, Method::HEAD] {
                let answer = world.send(Draft::new(method, path).header("host", host)).await.is(200);
                assert_eq!(answer.all("cache-control"), ["no-store"]);
                assert_eq!(answer.all("content-type"), ["application/json"]);
            }
        }
        let refused = world.send(Draft::post(path)).await.is(405);
        assert_eq!(refused.all("allow"), ["GET, HEAD"]);
    }
    assert_eq!(probe(&world, "/healthz").await.text(), r#"{"status":"ok"}"#);
    probe(&world, "/healthz/").await.is(404);
    world.send(Draft::get("/healthz/").header("host", "10.1.2.3")).await.is(400);
}

#[tokio::test]
async fn readiness_says_what_the_last_check_has_come_to() {
    let world = World::new();
    assert_eq!(probe(&world, "/readyz").await.is(503).text(), r#"{"status":"starting"}"#);
    world.service.found(GOOD);
    assert_eq!(
        probe(&world, "/readyz").await.is(200).text(),
        r#"{"status":"ready","checks":{"database":"ok","migrations":"ok","keys":"ok","disk":"ok"}}"#
    );
    let bad = Health { database: Verdict::Bad("it is away"), migrations: Verdict::Unknown, ..GOOD };
    world.service.found(bad);
    let answer = probe(&world, "/readyz").await.is(503);
    assert_eq!(answer.all("retry-after"), ["2"]);
    assert_eq!(
        answer.text(),
        r#"{"status":"unavailable","checks":{"database":"it is away","migrations":"unknown","keys":"ok","disk":"ok"}}"#
    );
    probe(&world, "/healthz").await.is(200);
    world.service.found(GOOD);
    world.service.drain();
    assert!(probe(&world, "/readyz").await.is(503).text().starts_with(r#"{"status":"draining","checks""#));
    probe(&world, "/healthz").await.is(200);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_end_is_no_readiness() {
    let world = World::new();
    world.service.found(GOOD);
    tokio::time::advance(std::time::Duration::from_secs(9)).await;
    probe(&world, "/readyz").await.is(200);
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    let answer = probe(&world, "/readyz").await.is(503);
    assert!(answer.text().starts_with(r#"{"status":"the check does not end""#), "{}", answer.text());
}

#[tokio::test]
async fn a_service_that_was_just_made_is_healthy_and_one_without_room_is_not() {
    let world = World::new();
    assert_eq!(world.service.auth().health(0).await, GOOD);
    let full = world.service.auth().health(u64::MAX).await;
    assert_eq!((full.is_good(), full.is_for_a_restart), (false, false));
    assert!(matches!(full.disk, Verdict::Bad(_)));
    std::fs::remove_file(world.directory.path().join("db.sqlite3")).unwrap();
    let lost = world.service.auth().health(0).await;
    assert!(matches!(lost.database, Verdict::Bad(_)) && lost.is_for_a_restart, "{lost:?}");
    assert_eq!([lost.migrations, lost.keys], [Verdict::Unknown; 2]);
}
