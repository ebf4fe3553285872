//! What a start adds to a PostgreSQL that is in use: it may take its time, others wait for it no longer than seconds, and
//! the index on the table of users may be there before.

use std::time::Duration;

use countersign_store::{PoolOptions, Store, StoreError};

use crate::cluster::{Cluster, Database};
use crate::outages::hold;

const DEFINITION: &str = "SELECT indexrelid, pg_get_indexdef(indexrelid), indisvalid FROM pg_index
                           WHERE indexrelid = to_regclass('countersign_user_email')";

async fn open(database: &Database, pool: &PoolOptions) -> Result<Store, StoreError> {
    Store::open(&database.url().parse().unwrap(), pool).await
}

/// A database that lacks the index on the table of users, and how that is to be made.
async fn without_index() -> Option<(Database, String)> {
    let database = Cluster::shared()?.database();
    open(&database, &PoolOptions::default()).await.unwrap();
    let made = "SELECT pg_get_indexdef('countersign_user_email'::regclass)";
    let made = database.rows(made).remove(0);
    database.rows(
        "DROP INDEX countersign_user_email; DELETE FROM countersign_migration WHERE name = '0008_addresses'",
    );
    Some((database, made))
}

#[tokio::test]
async fn an_index_may_take_longer_to_make_than_any_answer() {
    let Some((database, _)) = without_index().await else { return };
    database.rows(
        "CREATE FUNCTION take_long() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); END $$;
         CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION take_long();
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 1000', current_database()); END $$",
    );
    let hasty = PoolOptions { answer_timeout: Duration::from_secs(1), ..PoolOptions::default() };
    open(&database, &hasty).await.unwrap();
    assert_eq!(database.rows(DEFINITION).len(), 1);
}

#[tokio::test]
async fn who_finds_the_table_of_users_held_gives_way_and_says_by_what_it_was_stopped() {
    let Some((database, _)) = without_index().await else { return };
    let holder = hold(&database, "LOCK TABLE auth_user IN ROW EXCLUSIVE MODE").await;
    let refused = open(&database, &PoolOptions::default()).await.err().unwrap().to_string();
    assert!(refused.starts_with("the database cannot be migrated: 0008_addresses: "), "{refused}");
    assert!(refused.contains("lock timeout; end the transaction"), "{refused}");
    drop(holder);
    open(&database, &PoolOptions::default()).await.unwrap();
}

#[tokio::test]
async fn an_index_that_was_made_beforehand_as_the_docs_say_is_taken_as_it_is() {
    let Some((database, made)) = without_index().await else { return };
    let docs = include_str!("../../../../docs/moving.md");
    database.rows(docs.lines().find(|line| line.starts_with("CREATE INDEX CONCURRENTLY ")).unwrap());
    let before = database.rows(DEFINITION);
    assert!(before[0].ends_with(&format!("|{made}|t")), "{before:?}, {made}");
    open(&database, &PoolOptions::default()).await.unwrap();
    assert_eq!(database.rows(DEFINITION), before);
}

#[tokio::test]
async fn an_index_that_was_left_half_made_is_refused_by_name() {
    let Some((database, made)) = without_index().await else { return };
    database.rows(&made);
    database
        .rows("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'countersign_user_email'::regclass");
    let refused = open(&database, &PoolOptions::default()).await.err().unwrap().to_string();
    assert!(refused.contains("DROP INDEX CONCURRENTLY countersign_user_email"), "{refused}");
    database.rows("DROP INDEX CONCURRENTLY countersign_user_email");
    open(&database, &PoolOptions::default()).await.unwrap();
}
