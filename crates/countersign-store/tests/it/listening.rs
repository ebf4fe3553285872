//! Word of a changed key ring: it comes without anybody asking, also after the connection that brings it was lost.

use countersign_store::{KeyRotation, KeyState, PoolOptions, Store, StoredKey};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::cluster::{Cluster, Database};
use crate::patience::{PATIENCE, until};
use crate::place::noon;

async fn open(database: &Database) -> Store {
    Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap()
}

/// Nothing here looks by the clock: either word comes or the time is over.
async fn word(changed: &Notify, of: &str) {
    assert!(timeout(PATIENCE, changed.notified()).await.is_ok(), "no word of {of}");
}

async fn add_key(store: &Store, kid: &str) {
    let key = StoredKey {
        kid: kid.to_owned(),
        algorithm: "EdDSA".to_owned(),
        state: KeyState::Next,
        sealed: Some(kid.as_bytes().to_vec()),
        created_at: noon(),
        changed_at: noon(),
    };
    assert!(store.insert_key(key).await.unwrap());
}

async fn rotate(store: &Store, next: &str) {
    let configured = ("configured", "HS256");
    let rotation = KeyRotation { next: next.to_owned(), signing: None, configured, at: noon() };
    assert!(store.rotate_keys(rotation).await.unwrap());
}

#[tokio::test]
async fn each_change_of_the_ring_by_another_is_told_to_who_listens() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let (here, other, changed) = (open(&database).await, open(&database).await, Notify::new());
    let changing = async {
        word(&changed, "what was there").await;
        add_key(&other, "a").await;
        word(&changed, "a new key").await;
        rotate(&other, "a").await;
        word(&changed, "a rotation").await;
        assert!(other.reseal_key("a".to_owned(), b"a".to_vec(), b"b".to_vec()).await.unwrap());
        word(&changed, "a key sealed anew").await;
        assert!(other.retire_key("configured".to_owned(), KeyState::Verifying, noon()).await.unwrap());
        word(&changed, "a retirement").await;
    };
    tokio::select! {
        never = here.listen_for_keys(&changed) => match never {},
        () = changing => {}
    }
}

#[tokio::test]
async fn a_connection_that_listens_and_was_killed_is_made_anew_and_still_brings_word() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let (here, other, changed) = (open(&database).await, open(&database).await, Notify::new());
    let listening = "datname = current_database() AND query = 'LISTEN countersign_key'";
    let kill = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {listening}");
    let changing = async {
        word(&changed, "what was there").await;
        for is_first in [true, false] {
            assert_eq!(database.rows(&kill), ["t"], "one connection listens");
            word(&changed, "what was missed meanwhile").await;
            if is_first {
                add_key(&other, "a").await;
            } else {
                rotate(&other, "a").await;
            }
            word(&changed, "a change after that").await;
        }
    };
    tokio::select! {
        never = here.listen_for_keys(&changed) => match never {},
        () = changing => {}
    }
    let left = format!("SELECT count(*) FROM pg_stat_activity WHERE {listening}");
    until("the connection has gone with who listened", || database.rows(&left) == ["0"]).await;
}
