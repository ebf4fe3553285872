//! The tables are Django's, whoever made them, and a database that is not ours to touch is refused.

use std::collections::BTreeMap;
use std::sync::Barrier;

use countersign_store::{DatabaseUrl, PoolOptions, StoreError, give_back};
use rusqlite::Connection;
use serde_json::Value;

use crate::place::{Place, person, rows};

const USER_OF_DJANGO: &str = "INSERT INTO auth_user
    (id, password, last_login, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
    VALUES (7, 'pbkdf2_sha256$1000000$salt$hash', '2025-06-01 08:09:10.123456', 1, 'ada', 'Lovelace',
            'ada@example.com', 1, 1, '2025-05-01 00:00:00', 'Ada')";

fn vector(file: &str) -> String {
    let path = format!("{}/../../conformance/vectors/schema/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Every table and index, Django's own, by name. Indexes that SQLite makes by itself have no text.
fn django_objects(connection: &Connection) -> BTreeMap<String, String> {
    let sql = "SELECT type || ' ' || name || ' on ' || tbl_name, ifnull(sql, '') FROM sqlite_schema
                WHERE name NOT LIKE 'countersign_%' AND tbl_name NOT LIKE 'countersign_%'";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

fn made_by_django(schema: &str) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&vector(schema)).unwrap();
    connection
}

/// A file with tables that Django made, before we come.
fn place_of_django(schema: &str, more: &str) -> Place {
    let place = Place::empty();
    place.outside().execute_batch(&format!("{}; {more}", vector(schema))).unwrap();
    place
}

fn refusal(place: &Place) -> String {
    match place.reopen().map(drop) {
        Err(error @ StoreError::Migration(_)) => error.to_string(),
        other => panic!("it was taken, or refused otherwise: {other:?}"),
    }
}

#[test]
fn the_migration_makes_the_tables_and_indexes_that_django_makes() {
    let (place, _store) = Place::open();
    let (ours, djangos) =
        (django_objects(&place.outside()), django_objects(&made_by_django("sqlite-core.sql")));
    assert_eq!(ours, djangos);
    assert!(djangos.len() > 20);
}

#[test]
fn the_migration_leaves_the_rows_that_django_leaves() {
    let (place, _store) = Place::open();
    let recorded: Value = serde_json::from_str(&vector("rows-sqlite-core.json")).unwrap();
    for (table, sql) in [
        ("django_migrations", "SELECT id, app, name FROM django_migrations ORDER BY id"),
        ("django_content_type", "SELECT id, app_label, model FROM django_content_type ORDER BY id"),
        (
            "auth_permission",
            "SELECT p.id, c.app_label, c.model, p.codename, p.name FROM auth_permission AS p
               JOIN django_content_type AS c ON c.id = p.content_type_id ORDER BY p.id",
        ),
    ] {
        let cell = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let line = |row: &Value| row.as_array().unwrap().iter().map(cell).collect::<Vec<_>>().join("|");
        let expected: Vec<String> = recorded[table].as_array().unwrap().iter().map(line).collect();
        assert_eq!(place.rows(sql), expected, "{table}");
    }
    assert_eq!(place.rows("SELECT count(*) FROM auth_user"), ["0"]);
}

#[test]
fn migrating_twice_changes_nothing() {
    let (place, store) = Place::open();
    assert!(!store.is_made_by_django());
    drop(store);
    let everything = |place: &Place| {
        let names = place.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
        let contents = names.iter().map(|name| place.rows(&format!("SELECT * FROM {name}")));
        (contents.collect::<Vec<_>>(), place.rows("SELECT name, sql FROM sqlite_schema ORDER BY name"))
    };
    let before = everything(&place);
    drop(place.reopen().unwrap());
    assert_eq!(everything(&place), before);
}

#[test]
fn processes_that_start_at_once_on_an_empty_file_all_start() {
    let place = Place::empty();
    let start = Barrier::new(8);
    let open = || {
        start.wait();
        place.reopen()
    };
    std::thread::scope(|scope| {
        let processes: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        for process in processes {
            process.join().unwrap().unwrap();
        }
    });
    assert_eq!(
        place.rows("SELECT name FROM countersign_migration ORDER BY name"),
        [
            "0001_django_tables",
            "0002_sessions",
            "0003_signing_keys",
            "0004_import",
            "0005_attempts",
            "0006_events",
            "0007_mail",
            "0008_addresses"
        ]
    );
    assert_eq!(place.rows("SELECT count(*) FROM django_migrations"), ["26"]);
}

#[tokio::test]
async fn a_database_that_django_made_is_taken_as_it_is() {
    for schema in ["sqlite-core.sql", "sqlite-startproject.sql"] {
        let place = place_of_django(schema, USER_OF_DJANGO);
        assert!(place.reopen().unwrap().is_made_by_django());
        let store = place.reopen().unwrap();
        assert!(store.is_made_by_django(), "the second time too");
        assert_eq!(django_objects(&place.outside()), django_objects(&made_by_django(schema)), "{schema}");
        assert_eq!(
            place.rows("SELECT count(*) FROM django_migrations"),
            ["0"],
            "the rows are Django's matter"
        );
        let ada = store.find_user_by_username("ada").await.unwrap().unwrap();
        assert_eq!((ada.id.number(), ada.last_name.as_str(), ada.is_superuser), (Some(7), "Lovelace", true));
        assert_eq!(ada.last_login.unwrap().to_string(), "2025-06-01T08:09:10.123456Z");
        assert_eq!(store.insert_user(person("bob")).await.unwrap().number(), Some(8), "{schema}");
    }
}

#[test]
fn a_database_with_some_of_djangos_tables_is_refused_with_the_missing_ones_and_left_alone() {
    let place = place_of_django(
        "sqlite-core.sql",
        "DROP TABLE token_blacklist_blacklistedtoken; DROP TABLE token_blacklist_outstandingtoken",
    );
    let before = rows(&place.outside(), "SELECT name FROM sqlite_schema ORDER BY name");
    assert_eq!(
        refusal(&place),
        "the database cannot be migrated: it has some of Django's tables but not \
         token_blacklist_blacklistedtoken, token_blacklist_outstandingtoken; let Django's own `migrate` make them \
         first (applications auth, contenttypes and rest_framework_simplejwt.token_blacklist)"
    );
    assert_eq!(place.rows("SELECT name FROM sqlite_schema ORDER BY name"), before);
}

#[test]
fn a_database_of_a_newer_version_is_refused_with_the_name_of_its_migration() {
    let (place, store) = Place::open();
    drop(store);
    place.outside().execute("INSERT INTO countersign_migration (name) VALUES ('9999_later')", []).unwrap();
    assert_eq!(
        refusal(&place),
        "the database cannot be migrated: it has the migration 9999_later, which this version does not know; \
         use the version that made it or a later one"
    );
}

#[test]
fn what_is_no_database_is_refused_with_its_path() {
    let place = Place::empty();
    let text = place.file().with_file_name("notes.txt");
    std::fs::write(&text, "Dear diary, this is longer than the header of a database file. ".repeat(20))
        .unwrap();
    let directory = place.file().parent().unwrap().to_owned();
    let nowhere = directory.join("missing").join("db.sqlite3");
    for path in [text, directory, nowhere] {
        let error = crate::place::open(&DatabaseUrl::Sqlite(path.clone())).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_but_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (place, store) = Place::open();
    store.insert_user(person("ada")).await.unwrap();
    let files: Vec<_> =
        std::fs::read_dir(place.file().parent().unwrap()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 2, "the file and its write-ahead log");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
    }
}

#[test]
fn a_broken_reference_is_a_complaint_and_a_sound_file_has_none() {
    let (place, store) = Place::open();
    assert_eq!(store.integrity_complaints().unwrap(), [""; 0]);
    let outside = place.outside();
    outside.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    outside.execute("INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1)", []).unwrap();
    let mut complaints = store.integrity_complaints().unwrap();
    complaints.sort();
    assert_eq!(
        complaints,
        [
            "a row of auth_user_groups refers to a missing row of auth_group",
            "a row of auth_user_groups refers to a missing row of auth_user"
        ]
    );
}

#[tokio::test]
async fn a_file_that_is_given_back_has_no_write_ahead_log_any_more() {
    let place = place_of_django("sqlite-core.sql", "");
    let mode = || place.rows("PRAGMA journal_mode");
    assert_eq!(mode(), ["delete"]);
    drop(place.reopen().unwrap());
    assert_eq!(mode(), ["wal"]);
    let reader = place.outside();
    reader.query_row("SELECT count(*) FROM auth_user", [], |_| Ok(())).unwrap();
    let refused = give_back(&place.url(), &PoolOptions::default(), false).await;
    assert!(matches!(refused, Err(StoreError::InUse)), "{refused:?}");
    drop(reader);
    give_back(&place.url(), &PoolOptions::default(), false).await.unwrap();
    assert_eq!(mode(), ["delete"]);
}
