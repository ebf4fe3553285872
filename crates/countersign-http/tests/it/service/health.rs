//! The probes: whether the server lives, and whether it is ready.

use std::task::{Context, Poll, Waker};

use countersign_auth::{Health, Verdict};
use http::Method;

use crate::actors::{Answer, World};

const GOOD: Health = Health {
    database: Verdict::Good,
    migrations: Verdict::Good,
    keys: Verdict::Good,
    disk: Verdict::Good,
    is_for_a_restart: false,
};

async fn ask(world: &World, method: Method, path: &str, host: &str) -> Answer {
    world.ask(method, path, &[("host", host)]).await
}

async fn probe(world: &World, path: &str) -> (u16, String) {
    let answered = ask(world, Method::GET, path, "10.1.2.3:8000").await;
    (answered.status.as_u16(), answered.text().to_owned())
}

#[tokio::test]
async fn a_probe_is_answered_by_any_name_in_both_methods_and_is_not_kept() {
    let world = World::new();
    world.service.found(GOOD);
    for path in ["/healthz", "/readyz"] {
        for host in ["auth.example", "10.1.2.3:8000", "[fe80::1]", "nobody.example", "no host at all!"] {
            for method in [Method::GET, Method::HEAD] {
                let answer = ask(&world, method, path, host).await;
                assert_eq!(answer.status, 200, "{path} by {host}");
                assert_eq!(answer.headers["cache-control"], "no-store");
                assert_eq!(answer.headers["content-type"], "application/json");
                assert_eq!(answer.headers["x-content-type-options"], "nosniff");
            }
        }
        let refused = ask(&world, Method::POST, path, "10.1.2.3").await;
        assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, "GET, HEAD"));
    }
    assert_eq!(probe(&world, "/healthz").await, (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(ask(&world, Method::GET, "/healthz/", "auth.example").await.status, 404);
    assert_eq!(probe(&world, "/healthz/").await.0, 400, "the host of any other path counts");
}

#[tokio::test]
async fn readiness_says_what_the_last_check_has_come_to() {
    let world = World::new();
    assert_eq!(probe(&world, "/readyz").await, (503, r#"{"status":"starting"}"#.to_owned()));
    world.service.found(GOOD);
    let (status, text) = probe(&world, "/readyz").await;
    let all = r#"{"status":"ready","checks":{"database":"ok","migrations":"ok","keys":"ok","disk":"ok"}}"#;
    assert_eq!((status, text.as_str()), (200, all));
    let bad = Health { database: Verdict::Bad("it is away"), migrations: Verdict::Unknown, ..GOOD };
    world.service.found(bad);
    let answer = ask(&world, Method::GET, "/readyz", "auth.example").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "2"));
    assert_eq!(
        answer.text(),
        r#"{"status":"unavailable","checks":{"database":"it is away","migrations":"unknown","keys":"ok","disk":"ok"}}"#
    );
    assert_eq!(probe(&world, "/healthz").await.0, 200);
    world.service.found(GOOD);
    world.service.drain();
    let (status, text) = probe(&world, "/readyz").await;
    assert!(status == 503 && text.starts_with(r#"{"status":"draining","checks""#), "{text}");
    assert_eq!(probe(&world, "/healthz").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_end_is_no_readiness() {
    let world = World::new();
    world.service.found(GOOD);
    tokio::time::advance(std::time::Duration::from_secs(9)).await;
    assert_eq!(probe(&world, "/readyz").await.0, 200);
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    let (status, text) = probe(&world, "/readyz").await;
    assert!(status == 503 && text.starts_with(r#"{"status":"the check does not end""#), "{text}");
}

#[tokio::test]
async fn a_look_at_a_file_leaves_the_thread_to_what_accepts_connections() {
    let world = World::new();
    let mut looking = std::pin::pin!(world.service.auth().health(0));
    let first = looking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(first, Poll::Pending, "it is done elsewhere");
    assert_eq!(looking.await, GOOD);
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
