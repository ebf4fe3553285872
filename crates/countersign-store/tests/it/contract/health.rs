//! Whether the database can be served from: its tables are those of this version.

use super::place::Place;
use crate::place::noon;

#[tokio::test]
async fn tables_of_this_version_are_enough_and_later_ones_do_no_harm() {
    let Some((place, store)) = Place::open().await else { return };
    store.check_tables().await.unwrap();
    place.run("INSERT INTO countersign_migration (name) VALUES ('9999_of_a_later_version')");
    store.check_tables().await.unwrap();
}

#[tokio::test]
async fn a_migration_that_is_missing_is_named() {
    let Some((place, store)) = Place::open().await else { return };
    place.run("DELETE FROM countersign_migration WHERE name = '0002_sessions'");
    let refused = store.check_tables().await.unwrap_err().to_string();
    assert_eq!(refused, "the database cannot be migrated: it lacks the migration 0002_sessions");
}

#[tokio::test]
async fn a_server_has_a_clock_of_its_own_and_a_file_has_none() {
    let Some((_place, store)) = Place::open().await else { return };
    let now = store.clock().await.unwrap();
    assert_eq!(now.is_some(), !store.is_embedded());
    assert!(now.is_none_or(|now| now > noon()), "it is later than when this was written: {now:?}");
}
