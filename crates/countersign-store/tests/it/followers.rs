//! A commit that waits for a synchronous follower: whoever gives it up must not make it visible.

use std::time::Duration;

use countersign_domain::SessionId;
use countersign_store::{InsertUserError, PoolOptions, Store, StoreError};
use jiff::SignedDuration;

use crate::cluster::{Cluster, Database, Extras};
use crate::patience::until;
use crate::place::{after_noon, person};

const COMMITS: &str = "SELECT wait_event FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'";

/// A store of one connection whose commits wait for a follower that is not there.
async fn without_a_follower() -> Option<(Database, Store)> {
    // Only who asks for it waits: the store does, and not whoever makes the database and looks into it.
    let settings = "synchronous_standby_names = 'absent'\nsynchronous_commit = local".to_owned();
    let database = Cluster::of_its_own(&Extras { settings, ..Extras::default() })?.database();
    Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
    database.rows("CHECKPOINT"); // by the process that makes known that there is a follower to wait for
    let url = format!("{}?options=-c%20synchronous_commit%3Don", database.url());
    let hasty = PoolOptions { size: 1, answer_timeout: Duration::from_secs(3), ..PoolOptions::default() };
    let store = Store::open(&url.parse().unwrap(), &hasty).await.unwrap();
    Some((database, store))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_for_a_follower_is_given_up_and_not_stopped() {
    let Some((database, store)) = without_a_follower().await else { return };
    let written = store.insert_user(person("ada")).await;
    assert!(matches!(written, Err(InsertUserError::Store(StoreError::TooSlow))), "{written:?}");
    assert_eq!(database.rows(COMMITS), ["SyncRep"], "it was stopped");
    assert!(!store.username_exists("ada").await.unwrap(), "others see what no follower has");
    assert_eq!(database.rows("SELECT username FROM auth_user"), [""; 0]);

    database.rows("ALTER SYSTEM SET synchronous_standby_names = ''");
    database.rows("SELECT pg_reload_conf()");
    until("the commit is done", || database.rows("SELECT username FROM auth_user") == ["ada"]).await;
    assert_eq!(database.rows(COMMITS), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_caller_goes_away_neither_holds_up_the_next_one_nor_is_stopped_for_it() {
    let Some((database, store)) = without_a_follower().await else { return };
    tokio::select! {
        written = store.insert_user(person("ada")) => panic!("there is no follower: {written:?}"),
        () = until("the commit waits", || database.rows(COMMITS) == ["SyncRep"]) => {}
    }
    let found = store.username_exists("ada").await;
    assert!(matches!(found, Ok(false)), "{found:?}");
    assert_eq!(database.rows(COMMITS), ["SyncRep"], "it was stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_session_is_in_use_is_noted_without_a_follower() {
    let Some((database, store)) = without_a_follower().await else { return };
    let session = "a".repeat(32);
    database.rows(&format!(
        "INSERT INTO countersign_session (id, user_id, generation, rotated_at, created_at, last_seen_at, expires_at, client)
         VALUES ('{session}', 1, 0, 0, 0, 0, 1, '')"
    ));
    let seen = vec![(SessionId::parse(&session).unwrap(), after_noon(1))];
    store.touch_sessions(seen, SignedDuration::from_secs(60)).await.unwrap();
    let seen = database.rows("SELECT last_seen_at FROM countersign_session");
    assert_eq!(seen, [after_noon(1).as_microsecond().to_string()]);
}
