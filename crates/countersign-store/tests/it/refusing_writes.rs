//! A PostgreSQL that can be read and takes no writes: it is known without writing, with the cause and what to do.

use countersign_store::{PoolOptions, Prospect, Store, StoreError};

use crate::cluster::{Cluster, Database, Extras};
use crate::place::person;

const FULL: &str = "
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON auth_user EXECUTE FUNCTION no_room();
    CREATE TRIGGER no_room BEFORE INSERT ON countersign_event EXECUTE FUNCTION no_room()";

async fn open(url: &str) -> Store {
    Store::open(&url.parse().unwrap(), &PoolOptions::default()).await.unwrap()
}

async fn migrated() -> Option<Database> {
    let database = Cluster::shared()?.database();
    drop(open(&database.url()).await);
    Some(database)
}

/// What a look says, which is the same before a start as beside a server.
async fn told(url: &str) -> String {
    let looked = open(url).await.check_tables().await;
    let prospect = Prospect::open(&url.parse().unwrap(), &PoolOptions::default()).unwrap();
    let before = prospect.refuses_writes().await.unwrap();
    match looked {
        Ok(()) => before.unwrap_or_default(),
        Err(error @ StoreError::TakesNoWrites(_)) => {
            let told = error.to_string();
            assert_eq!(told.strip_prefix("the database takes no writes: "), before.as_deref());
            told
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_database_that_is_set_to_read_only_takes_no_writes() {
    let Some(database) = migrated().await else { return };
    let url = format!("{}?options=-c%20default_transaction_read_only%3Don", database.url());
    let told = told(&url).await;
    assert!(told.contains("default_transaction_read_only is on; turn it off: ALTER ROLE"), "{told}");
    let refused = open(&url).await.insert_user(person("ada")).await.unwrap_err().to_string();
    assert!(
        refused.contains("takes no writes: cannot execute INSERT in a read-only transaction"),
        "{refused}"
    );
    assert!(refused.contains("see that default_transaction_read_only is off"), "{refused}");
}

#[tokio::test]
async fn a_role_that_may_only_read_is_told_with_what_it_may_not() {
    let Some(database) = migrated().await else { return };
    let role = format!("reader_{}", std::process::id());
    database
        .rows(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"));
    let url = database.url().replace("//countersign@", &format!("//{role}@"));
    let first = told(&url).await;
    database.rows(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"));
    let second = told(&url).await;
    database.rows(&format!("REVOKE UPDATE ON auth_user FROM {role}"));
    let third = told(&url).await;
    database.rows(&format!("GRANT UPDATE (password, last_login) ON auth_user TO {role}"));
    let fourth = told(&url).await;
    database.rows(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    let begins = format!(
        "the role {role} may not INSERT countersign_session, UPDATE countersign_session, DELETE countersign_session, "
    );
    assert!(first.contains(&begins) && first.contains(&format!("TO {role}, or name another")), "{first}");
    assert_eq!(second, "");
    assert!(third.contains(&format!("the role {role} may not UPDATE auth_user; GRANT ")), "{third}");
    assert_eq!(fourth, "", "it may change what has to be");
}

#[tokio::test]
async fn a_standby_is_told_from_its_primary_and_is_used_when_it_has_become_one() {
    let Some(cluster) = Cluster::of_its_own(&Extras::default()) else { return };
    let database = cluster.database();
    let store = open(&database.url()).await;
    store.check_tables().await.unwrap();
    cluster.stop();
    let signal = cluster.directory().unwrap().join("data/standby.signal");
    std::fs::write(&signal, "").unwrap();
    cluster.start_again();
    let told = told(&database.url()).await;
    assert!(told.contains("the server is a standby; have DATABASE_URL lead to the primary"), "{told}");
    assert!(!store.username_exists("ada").await.unwrap(), "it can be read");
    database.rows("SELECT pg_promote()");
    store.check_tables().await.unwrap();
    store.insert_user(person("ada")).await.unwrap();
}

#[tokio::test]
async fn a_server_without_room_is_known_from_the_first_write_on_until_it_has_some() {
    let Some(database) = migrated().await else { return };
    let store = open(&database.url()).await;
    database.rows(FULL);
    store.check_tables().await.expect("nothing was to be written yet");
    let refused = store.insert_user(person("ada")).await.unwrap_err().to_string();
    assert!(refused.contains("No space left on device; make room on its disk"), "{refused}");
    for _ in 0..2 {
        let looked = store.check_tables().await.unwrap_err();
        assert!(looked.is_of_room(), "{looked}");
    }
    database.rows("DROP TRIGGER no_room ON auth_user; DROP TRIGGER no_room ON countersign_event");
    store.check_tables().await.unwrap();
    store.insert_user(person("ada")).await.unwrap();
    assert_eq!(
        database.rows("SELECT count(*) FROM countersign_event"),
        ["0"],
        "looking leaves nothing behind"
    );
}

#[tokio::test]
async fn looking_whether_it_takes_writes_writes_nothing() {
    let settings = "autovacuum = off".to_owned();
    let Some(cluster) = Cluster::of_its_own(&Extras { settings, ..Extras::default() }) else { return };
    let database = cluster.database();
    let store = open(&database.url()).await;
    let next = || database.rows("SELECT pg_snapshot_xmax(pg_current_snapshot())");
    let before = next();
    for _ in 0..20 {
        store.check_tables().await.unwrap();
    }
    assert_eq!(next(), before, "no transaction was given a number, as those that write are");
}
