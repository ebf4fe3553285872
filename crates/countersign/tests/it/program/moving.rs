//! `import` and `export`: accounts that change their database, with the real process killed in the middle.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use countersign_store::{PoolOptions, Store};
use serde_json::{Value, json};

use super::{Installation, PASSWORD, until};
use crate::cluster::Cluster;

const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef";

/// An installation that knows the others' secret.
fn installation() -> Installation {
    Installation::new().with("SECRET_KEY", SECRET_KEY).with("LOG", "error")
}

/// A fixture of so many users.
fn fixture(users: usize) -> String {
    let user = |id: usize| {
        let fields = json!({
            "password": "!", "last_login": null, "is_superuser": false, "username": format!("user{id}"), "first_name": "",
            "last_name": "", "email": "", "is_staff": false, "is_active": true, "date_joined": "2026-01-01T00:00:00.123Z",
            "groups": [], "user_permissions": []
        });
        json!({ "model": "auth.user", "pk": id, "fields": fields }).to_string()
    };
    format!("[{}]", (1..=users).map(user).collect::<Vec<_>>().join(", "))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn who_outgrows_sqlite_moves_to_postgresql_and_nobody_is_logged_out() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let old = installation();
    let server = old.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let before = server.anon().tokens("ada", PASSWORD);
    old.say(&["keys", "generate"]);
    old.say(&["keys", "rotate", "--now"]);
    drop(server);
    let server = old.serve();
    let after = server.anon().tokens("ada", PASSWORD);
    drop(server);

    let source = format!("sqlite:{}", old.path().join("countersign.sqlite3").display());
    let new = installation().with("DATABASE_URL", database.url());
    let looked = new.say(&["import", &source, "--dry-run"]);
    assert!(looked.contains("; nothing was written:\n"), "{looked}");
    let imported = new.say_json(&["import", &source]);
    let count = |what: &str| imported["rows"][what].clone();
    assert_eq!([count("users"), count("sessions"), count("signing_keys")], [json!(1), json!(2), json!(2)]);
    assert_eq!((&imported["resumed"], &imported["warnings"]), (&json!(false), &json!([])));
    assert_eq!(text(&imported["source"]), source);

    let server = new.serve();
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    assert_eq!(server.anon().login("ada", "wrong").0, 401);
    for tokens in [&before, &after] {
        assert_eq!((server.anon().me(tokens).0, server.anon().refresh(tokens)), (200, 200));
    }
    let (status, bob) = server.anon().register("bob", PASSWORD);
    assert_eq!((status, &bob["id"]), (201, &json!(2)));
    let refusal = new.refusal(&["import", &source]);
    assert!(refusal.contains(" is in use: stop the server"), "{refusal}");
    drop(server);
    let refusal = new.refusal(&["import", &source]);
    assert!(refusal.starts_with("the database has users already"), "{refusal}");
}

#[test]
fn what_is_no_fixture_is_told_from_its_first_bytes() {
    let here = installation();
    here.say(&["migrate"]);
    let refusal = here.refusal(&["import", "countersign.sqlite3", "--dry-run"]);
    assert!(refusal.contains("an SQLite database: write sqlite: before its name"), "{refusal}");
    std::fs::write(here.path().join("dump.json.gz"), [0x1f, 0x8b, 8, 0]).expect("it is written");
    let refusal = here.refusal(&["import", "dump.json.gz", "--dry-run"]);
    assert!(refusal.contains("dump.json.gz is compressed: unpack it first"), "{refusal}");
}

#[test]
fn nothing_is_imported_into_a_file_that_is_served() {
    let here = installation().with_file("dump.json", &fixture(3));
    let server = here.serve();
    let refusal = here.refusal(&["import", "dump.json"]);
    assert!(refusal.contains(" is in use: stop the server"), "{refusal}");
    assert_eq!(server.anon().register("ada", PASSWORD).1["id"], json!(1));
}

#[test]
fn a_database_is_not_imported_into_itself() {
    let here = installation();
    here.say(&["migrate"]);
    let absolute = format!("sqlite:{}", here.path().join("countersign.sqlite3").display());
    for source in ["sqlite:countersign.sqlite3", &absolute] {
        let refusal = here.refusal(&["import", source]);
        assert_eq!(refusal, "sqlite:countersign.sqlite3 is DATABASE_URL itself; name another");
    }
}

#[test]
fn an_import_that_is_refused_leaves_nothing() {
    let here = Installation::new().with_file("broken.json", "[{");
    here.refusal(&["import", "broken.json"]);
    assert_eq!(here.path().read_dir().expect("a directory").count(), 1, "the source alone");
}

#[test]
fn who_has_read_enough_of_an_export_is_no_failure() {
    let here = installation().with_file("dump.json", &fixture(3000));
    here.say(&["import", "dump.json"]);
    let mut command = here.command(&["export", "-"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn nothing_is_imported_where_users_are_in_a_table_of_the_projects_own() {
    let here = installation().with_file("dump.json", &fixture(3)).with("AUTH_USER_TABLE", "accounts_user");
    let refusal = here.refusal(&["import", "dump.json"]);
    assert!(refusal.contains("leave AUTH_USER_TABLE and USERNAME_FIELD out"), "{refusal}");
    assert!(!here.path().join("countersign.sqlite3").exists());
}

#[test]
fn keys_that_another_secret_sealed_are_warned_of() {
    let old = installation();
    old.say(&["migrate"]);
    old.say(&["keys", "generate"]);
    old.say(&["keys", "rotate", "--now"]);
    let source = format!("sqlite:{}", old.path().join("countersign.sqlite3").display());
    let said = Installation::new().say(&["import", &source]);
    assert!(said.contains("Use the SECRET_KEY of the database that they come from"), "{said}");
}

#[test]
fn an_export_is_for_its_owner_alone_and_overwrites_nothing() {
    let here = installation();
    assert_eq!(here.serve().anon().register("ada", PASSWORD).0, 201);
    let said = here.say(&["export", "people.json"]);
    assert_eq!(said, "1 users of sqlite:countersign.sqlite3 are in people.json.\n");
    let path = here.path().join("people.json");
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let written = std::fs::read_to_string(&path).expect("a text");
    assert_eq!(here.say(&["export"]), written, "as on standard output");
    assert_eq!(here.say(&["export", "-"]), written);
    let refusal = here.refusal(&["export", "people.json"]);
    assert_eq!(refusal, "people.json is there already; name another, or remove it");
    assert_eq!(std::fs::read_to_string(&path).expect("a text"), written);

    let there = installation();
    let finished = there.run_with_stdin(&["import", "-"], &written);
    assert!(
        finished.success && finished.stdout.starts_with("Imported from standard input into "),
        "{}",
        finished.stderr
    );
    assert_eq!(there.say(&["export"]), written, "to the byte");
    assert_eq!(there.serve().anon().login("ada", PASSWORD).0, 200);
}

#[test]
fn hashes_are_not_shown_on_a_terminal_unless_they_must() {
    let here = installation();
    here.say(&["migrate"]);
    let mut session =
        rexpect::session::spawn_command(here.command(&["export"]), Some(60_000)).expect("a terminal");
    session.exp_string("add --force").expect("a refusal");
    let forced = here.command(&["export", "--force"]);
    let mut session = rexpect::session::spawn_command(forced, Some(60_000)).expect("a terminal");
    session.exp_string("contenttypes.contenttype").expect("the export");
}

#[test]
fn a_look_writes_nothing_and_a_source_that_is_none_is_said() {
    let here =
        installation().with_file("people.json", &fixture(3)).with_file("broken.json", "[{\n\"model\": ");
    let looked = here.say_json(&["import", "people.json", "--dry-run"]);
    assert_eq!((&looked["rows"]["users"], &looked["dry_run"]), (&json!(3), &json!(true)));
    assert!(!here.path().join("countersign.sqlite3").exists());
    for (source, expected) in [
        ("nothing.json", "nothing.json cannot be read: No such file"),
        (
            "broken.json",
            "broken.json cannot be imported: not a fixture as Django's dumpdata writes one: EOF while parsing a value at line 2",
        ),
        ("sqlite:nothing.sqlite3", "the database nothing.sqlite3 cannot be opened"),
        ("postgresql://ada:a-secret@127.0.0.1:1/accounts", "127.0.0.1:1"),
    ] {
        let refusal = here.refusal(&["import", source, "--dry-run"]);
        assert!(refusal.contains(expected) && !refusal.contains("a-secret"), "{refusal}");
    }
}

/// Killed when the first rows are there; then nothing serves until the same import has been gone on with.
fn killed_in_the_middle(here: &Installation, users: impl Fn() -> usize) -> String {
    /// In commits of a thousand, so that one who looks now and then sees it in the middle.
    const USERS: usize = 20_000;
    std::fs::write(here.path().join("people.json"), fixture(USERS)).expect("there is room");
    here.say(&["migrate"]);
    let mut command = here.command(&["import", "people.json"]);
    let mut import =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    until(|| users() > 0);
    import.kill().expect("it runs still");
    import.wait().expect("it ends");
    let there = users();
    assert!((1..USERS).contains(&there), "{there}: it was not killed in the middle");
    let refusal = here.refusal(&["serve", "--addr", "127.0.0.1:0"]);
    assert!(refusal.starts_with("the import from people.json was not finished"), "{refusal}");
    let imported = here.say_json(&["import", "people.json"]);
    assert_eq!(imported.get("resumed"), Some(&json!(true)));
    assert_eq!(users(), USERS);
    here.say(&["export"])
}

fn uninterrupted() -> String {
    let here = installation().with_file("people.json", &fixture(20_000));
    here.say(&["import", "people.json"]);
    here.say(&["export"])
}

#[test]
fn an_import_into_sqlite_that_is_killed_ends_as_one_that_was_not() {
    let here = installation();
    let url = format!("sqlite:{}", here.path().join("countersign.sqlite3").display()).parse().expect("a URL");
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    let users = || {
        let store = runtime.block_on(Store::open(&url, &PoolOptions::default())).expect("it opens");
        runtime.block_on(store.list_users(None, u32::MAX)).expect("they are read").len()
    };
    assert_eq!(killed_in_the_middle(&here, users), uninterrupted());
}

#[test]
fn an_import_into_postgresql_that_is_killed_ends_as_one_that_was_not() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let here = installation().with("DATABASE_URL", database.url());
    let users = || database.rows("SELECT count(*) FROM auth_user").concat().parse().expect("a number");
    assert_eq!(killed_in_the_middle(&here, users), uninterrupted());
}
