//! `adopt` where there is nothing to adopt, or no way. (On databases that Django made, `conformance/interop` runs it.)

use serde_json::json;

use super::{Installation, PASSWORD};
use crate::cluster::{Cluster, Database};

/// A PostgreSQL database as a Django leaves it.
fn of_django() -> Option<(Database, Installation)> {
    let database = Cluster::shared()?.database();
    let here = Installation::new().with("DATABASE_URL", database.url());
    let here = here.with("SECRET_KEY", "0123456789abcdef0123456789abcdef").with("LOG", "error");
    here.say(&["migrate"]);
    let ours = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'countersign_%'";
    for table in database.rows(ours) {
        database.rows(&format!("DROP TABLE {table}"));
    }
    database.rows("DROP INDEX countersign_user_email");
    Some((database, here))
}

#[test]
fn a_database_of_a_django_that_lacks_a_column_is_not_served() {
    let Some((database, here)) = of_django() else { return };
    database.rows("ALTER TABLE auth_user DROP COLUMN last_login");
    let refusal = here.refusal(&["serve", "--addr", "127.0.0.1:0"]);
    assert!(refusal.contains("the column auth_user.last_login is missing; "), "{refusal}");
    database.rows("ALTER TABLE auth_user ADD COLUMN last_login timestamptz");
    assert_eq!(here.serve().anon().register("ada", PASSWORD).0, 201);
}

#[test]
fn a_check_looks_at_a_django_and_adds_nothing() {
    let Some((database, here)) = of_django() else { return };
    let schema = "SELECT table_name || '.' || column_name FROM information_schema.columns
                   WHERE table_schema = 'public' ORDER BY 1";
    let before = database.rows(schema);
    let said = here.say(&["check", "--deploy", "--silence", "countersign.W054"]);
    assert!(said.starts_with("INFO      the database lacks countersign_"), "{said}");
    assert!(here.say(&["check"]).contains("(countersign.W055)"));
    assert_eq!(database.rows(schema), before);
    database.rows("ALTER TABLE auth_user DROP COLUMN last_login");
    let refusal = here.refusal(&["check"]);
    assert!(refusal.contains("the column auth_user.last_login is missing; "), "{refusal}");
}

#[test]
fn a_check_leaves_an_empty_database_empty() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let here = Installation::new().with("DATABASE_URL", database.url());
    let here = here.with("SECRET_KEY", "0123456789abcdef0123456789abcdef");
    assert!(here.say(&["check"]).contains("the database lacks countersign_"));
    assert_eq!(database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), [""; 0]);
    let here = Installation::new().with_file("countersign.sqlite3", "");
    assert!(here.say(&["check"]).contains("(countersign.W055)"));
    assert_eq!(std::fs::metadata(here.path().join("countersign.sqlite3")).expect("it is there").len(), 0);
    here.say(&["migrate"]);
    assert_eq!(here.say(&["check"]), "No issues.\n");
}

#[test]
fn what_was_added_is_not_taken_out_under_a_running_server() {
    let Some((database, here)) = of_django() else { return };
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let refusal = here.refusal(&["adopt", "--undo"]);
    assert!(
        refusal.contains("a server of ours, or a command, is connected to it: stop it first"),
        "{refusal}"
    );
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    server.signal("TERM");
    server.wait();
    assert!(here.say(&["adopt", "--undo"]).contains("countersign_session"));
    assert_eq!(database.rows("SELECT username FROM auth_user"), ["ada"]);
}

#[test]
fn who_insists_takes_it_out_all_the_same() {
    let Some((database, here)) = of_django() else { return };
    let _server = here.serve();
    assert!(here.say(&["adopt", "--undo", "--force"]).contains("countersign_session"));
    assert_eq!(database.rows("SELECT 1 FROM pg_tables WHERE tablename LIKE 'countersign_%'"), [""; 0]);
}

#[test]
fn without_a_database_there_is_nothing_to_adopt_and_none_is_made() {
    let here = Installation::new();
    for arguments in [&["adopt"][..], &["adopt", "--dry-run"], &["adopt", "--undo"]] {
        let refusal = here.refusal(arguments);
        assert!(
            refusal.starts_with("there is no database countersign.sqlite3; set DATABASE_URL"),
            "{refusal}"
        );
    }
    assert_eq!(std::fs::read_dir(here.path()).expect("a directory").count(), 0);
}

#[test]
fn a_database_of_our_own_needs_nothing_and_loses_nothing() {
    let here = Installation::new();
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let looked = here.say(&["adopt", "--dry-run"]);
    assert!(looked.starts_with("sqlite:countersign.sqlite3 (SQLite 3."), "{looked}");
    assert!(looked.contains("), made by Countersign\n"), "{looked}");
    assert!(
        looked.contains("Users       1: 0 superusers, 0 staff, 0 inactive, 0 without a usable password\n")
    );
    assert!(looked.contains("  argon2         1: all can log in\n"), "{looked}");
    let looked = here.say_json(&["adopt", "--dry-run"]);
    assert_eq!(looked["users"]["hashes"], json!({"argon2": {"users": 1, "verified": 1, "needs": null}}));
    assert_eq!((&looked["can_be_adopted"], &looked["adopted"]), (&json!(true), &json!(false)));
    assert_eq!(here.say_json(&["adopt"])["added"], json!({"tables": [], "indexes": []}));
    let refusal = here.refusal(&["adopt", "--undo"]);
    assert_eq!(
        refusal,
        "there is nothing to take out of sqlite:countersign.sqlite3: Countersign made it, Django's tables included; leave \
         it, a Django can run on it as it is"
    );
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
}

#[test]
fn a_table_of_users_that_is_not_there_is_refused_by_name_and_nothing_is_made() {
    let here = Installation::new();
    here.say(&["migrate"]);
    let here = here.with("AUTH_USER_TABLE", "accounts_user\"; DROP TABLE auth_user; --");
    for arguments in [&["migrate"][..], &["user", "list"]] {
        let refusal = here.refusal(arguments);
        assert!(refusal.contains("AUTH_USER_TABLE has to name"), "{refusal}");
        assert!(
            refusal.contains("the table accounts_user\"; DROP TABLE auth_user; -- is missing"),
            "{refusal}"
        );
    }
    let refusal = here.refusal(&["adopt"]);
    assert!(refusal.contains("its users are in auth_user, not in accounts_user"), "{refusal}");
    assert!(refusal.contains("set AUTH_USER_TABLE=auth_user"), "{refusal}");
    let here = here.with("AUTH_USER_TABLE", "auth_user");
    assert_eq!(here.say_json(&["user", "list"]), json!([]));
}

#[test]
fn an_empty_file_is_refused_and_left_empty() {
    let here = Installation::new().with_file("countersign.sqlite3", "");
    let finished = here.run(&["adopt", "--dry-run"]);
    assert!(!finished.success);
    assert!(
        finished.stdout.ends_with("It cannot be adopted yet.\n"),
        "the report comes first: {}",
        finished.stdout
    );
    assert!(here.refusal(&["adopt"]).contains("it has none of Django's tables"));
    assert_eq!(std::fs::read(here.path().join("countersign.sqlite3")).expect("a file"), b"");
}

#[test]
fn looking_and_taking_out_at_once_makes_no_sense() {
    let finished = Installation::new().run(&["adopt", "--dry-run", "--undo"]);
    assert!(!finished.success && finished.stderr.contains("cannot be used with"), "{}", finished.stderr);
}
