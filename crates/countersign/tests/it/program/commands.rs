//! The operator's subcommands, with the server running beside them on the same file.

use countersign_store::{NewToken, PoolOptions, Store};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::passwords::end;
use super::{Installation, PASSWORD, Server, Tokens};

const OTHER_PASSWORD: &str = "staple battery horse";

/// A server on which ada has an account, and is logged in.
fn with_ada() -> (Installation, Server, Tokens) {
    let here = Installation::new();
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let ada = server.anon().tokens("ada", PASSWORD);
    (here, server, ada)
}

fn create(here: &Installation, arguments: &[&str]) -> String {
    let finished =
        here.run_with_stdin(&[arguments, &["--password-stdin"]].concat(), &format!("{PASSWORD}\n"));
    assert!(finished.success, "{}", finished.stderr);
    finished.stdout
}

#[test]
fn migrate_makes_the_tables_once_and_can_be_repeated() {
    let here = Installation::new();
    assert_eq!(here.say(&["migrate"]), "sqlite:countersign.sqlite3 is up to date.\n");
    assert_eq!(here.say_json(&["migrate"]), json!({"database": "sqlite:countersign.sqlite3"}));
    assert!(here.serve().greeting.contains("database    countersign.sqlite3\n"), "it is not made anew");
}

#[test]
fn check_says_that_nothing_is_wrong() {
    let (here, _server, _) = with_ada();
    assert_eq!(here.say(&["check"]), "No issues.\n");
    assert_eq!(here.say_json(&["check"]), json!({"findings": []}));
}

#[test]
fn check_finds_a_damaged_database() {
    let (here, server, _) = with_ada();
    server.signal("TERM");
    server.wait();
    let path = here.path().join("countersign.sqlite3");
    let mut bytes = std::fs::read(&path).expect("a database");
    // The page size stands at offset 16; everything behind the schema's page is overwritten.
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    bytes[page..].fill(0xa5);
    std::fs::write(&path, bytes).expect("it is writable");
    let sentence = here.refusal(&["check"]);
    assert!(sentence.contains("database"), "{sentence}");
}

#[test]
fn a_superuser_is_made_with_every_mark_and_can_log_in() {
    let (here, server, _) = with_ada();
    let grace = create(&here, &["createsuperuser", "grace", "--email", "grace@EXAMPLE.com", "--json"]);
    let grace: Value = serde_json::from_str(&grace).expect("one JSON object");
    assert_eq!((&grace["id"], &grace["username"]), (&json!(2), &json!("grace")));
    assert_eq!(grace["email"], "grace@example.com", "as Django normalises it");
    assert_eq!([&grace["is_active"], &grace["is_staff"], &grace["is_superuser"]], [&json!(true); 3]);
    assert_eq!(server.anon().login("grace", PASSWORD).0, 200);
    assert_eq!(create(&here, &["createsuperuser", "edsger"]), "     3  edsger  - superuser staff\n");
}

#[test]
fn an_ordinary_account_is_made_under_the_rules_of_registration() {
    let (here, server, _) = with_ada();
    assert_eq!(
        create(&here, &["user", "create", "grace", "--email", "grace@example.com"]),
        "     2  grace  grace@example.com\n"
    );
    let shown = here.say_json(&["user", "show", "grace"]);
    assert_eq!(
        [&shown["is_active"], &shown["is_staff"], &shown["is_superuser"]].map(Value::as_bool),
        [Some(true), Some(false), Some(false)]
    );
    assert_eq!(server.anon().login("grace", PASSWORD).0, 200);
    for (arguments, reason) in [
        (["ada", "--email="], "username: A user with that username already exists."),
        (["a b", "--email="], "username: Enter a valid username."),
        (["bob", "--email=nowhere"], "email: Enter a valid email address."),
    ] {
        let arguments = [&["user", "create", "--password-stdin"], &arguments[..]].concat();
        let finished = here.run_with_stdin(&arguments, &format!("{PASSWORD}\n"));
        assert!(!finished.success);
        assert!(finished.stderr.starts_with(&format!("countersign: {reason}")), "{}", finished.stderr);
    }
}

#[test]
fn a_changed_password_is_the_only_one_that_works_and_ends_refresh_tokens() {
    let (here, server, ada) = with_ada();
    let change = ["changepassword", "ada", "--password-stdin"];
    let finished = here.run_with_stdin(&change, &format!("{OTHER_PASSWORD}\n"));
    assert_eq!((finished.success, finished.stdout.as_str()), (true, "The password of ada is changed.\n"));
    assert_eq!(server.anon().login("ada", PASSWORD).0, 401);
    assert_eq!(server.anon().login("ada", OTHER_PASSWORD).0, 200);
    assert_eq!(server.anon().refresh(&ada), 401);
    let finished = here.run_with_stdin(&[&change[..], &["--json"]].concat(), PASSWORD);
    assert_eq!((finished.success, finished.stdout.as_str()), (true, "{\"id\":1}\n"));
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
}

#[test]
fn a_deactivated_user_is_kept_out_until_activated_again() {
    let (here, server, ada) = with_ada();
    assert_eq!(here.say(&["user", "deactivate", "ada"]), "     1  ada  ada@example.com inactive\n");
    assert_eq!(server.anon().login("ada", PASSWORD).0, 401);
    assert_eq!(server.anon().refresh(&ada), 401);
    assert_eq!(server.anon().me(&ada).1["code"], "user_inactive");

    assert_eq!(here.say_json(&["user", "activate", "ada"])["is_active"], true);
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    assert_eq!(server.anon().me(&ada).0, 401, "sessions of before stay ended");
    assert_eq!(server.anon().refresh(&ada), 401);
    assert_eq!(here.say_json(&["user", "deactivate", "ada"])["is_active"], false);
    assert_eq!(here.say(&["user", "activate", "ada"]), "     1  ada  ada@example.com\n");
}

#[test]
fn logout_ends_every_session_of_one_user_and_of_nobody_else() {
    let (here, server, ada) = with_ada();
    let second = server.anon().tokens("ada", PASSWORD);
    assert_eq!(server.anon().register("grace", PASSWORD).0, 201);
    let grace = server.anon().tokens("grace", PASSWORD);
    let said = here.say(&["user", "logout", "ada"]);
    assert_eq!(said, "2 sessions of ada ended.\n");
    assert_eq!([&ada, &second].map(|tokens| server.anon().refresh(tokens)), [401, 401]);
    assert_eq!(server.anon().me(&ada).0, 401);
    assert_eq!(server.anon().refresh(&grace), 200);
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    assert_eq!(here.say_json(&["user", "logout", "ada"]), json!({"sessions": 1, "tokens": 0}));
    assert_eq!(here.say_json(&["user", "logout", "ada"]), json!({"sessions": 0, "tokens": 0}));
}

#[test]
fn a_deleted_user_is_gone_and_the_name_is_free() {
    let (here, server, ada) = with_ada();
    assert_eq!(here.say(&["user", "delete", "ada"]), "ada is deleted.\n");
    assert_eq!(server.anon().login("ada", PASSWORD).0, 401);
    assert_eq!(server.anon().refresh(&ada), 401);
    assert_eq!(server.anon().me(&ada).1["code"], "user_not_found");
    let (status, again) = server.anon().register("ada", PASSWORD);
    assert_eq!((status, &again["id"]), (201, &json!(2)), "an id is never used twice");
    assert_eq!(server.anon().me(&ada).0, 401, "the old token is not the new user's");
    assert_eq!(here.say_json(&["user", "delete", "ada"]), json!({"deleted": "ada"}));
    assert_eq!(here.say(&["check"]), "No issues.\n");
}

#[test]
fn accounts_are_listed_by_id_in_pages() {
    let (here, server, _) = with_ada();
    for name in ["grace", "edsger"] {
        assert_eq!(server.anon().register(name, PASSWORD).0, 201);
    }
    let names = |arguments: &[&str]| -> Vec<String> {
        let listed = here.say_json(&[&["user", "list"], arguments].concat());
        let users = listed.as_array().expect("a list");
        users.iter().map(|user| user["username"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&[]), ["ada", "grace", "edsger"]);
    assert_eq!(names(&["--limit", "2"]), ["ada", "grace"]);
    assert_eq!(names(&["--after", "2"]), ["edsger"]);
    assert_eq!(
        here.say(&["user", "list", "--limit", "1"]),
        "     1  ada  ada@example.com\nThere may be more: --after 1\n",
        "a line for each, and how to go on"
    );
    assert_eq!(here.say(&["user", "list", "--after", "3"]), "", "and nothing for none");
    assert_eq!(names(&["--after", "3"]), [""; 0]);
}

#[test]
fn what_is_shown_of_a_user_is_no_hash() {
    let (here, _server, _) = with_ada();
    let shown = here.say_json(&["user", "show", "ada"]);
    let keys: Vec<&String> = shown.as_object().expect("an object").keys().collect();
    let expected =
        "id username email first_name last_name is_active is_staff is_superuser last_login date_joined";
    assert_eq!(keys, expected.split(' ').collect::<Vec<_>>());
    assert_eq!(here.say(&["user", "show", "ada"]), "     1  ada  ada@example.com\n");
}

#[test]
fn a_name_that_nobody_has_is_refused_by_each_command() {
    let here = Installation::new();
    here.say(&["migrate"]);
    let refusal = "no user is called \"nobody\"; `countersign user list` shows those there are";
    for command in ["show", "activate", "deactivate", "delete", "logout"] {
        assert_eq!(here.refusal(&["user", command, "nobody"]), refusal);
    }
    assert_eq!(here.refusal(&["changepassword", "nobody"]), refusal);
}

impl Installation {
    fn record_expired_tokens(&self, count: usize) {
        let url = format!("sqlite:{}", self.path().join("countersign.sqlite3").display());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (url, options) = (url.parse().expect("an URL"), PoolOptions::default());
        let store = runtime.block_on(Store::open(&url, &options)).expect("a database");
        let long_ago = Timestamp::UNIX_EPOCH;
        for number in 0..count {
            let expires_at = long_ago + SignedDuration::from_hours(1);
            let (jti, text) = (format!("jti-{number}"), "x.y.".to_owned());
            let token = NewToken { jti, text, user: None, created_at: long_ago, expires_at };
            runtime.block_on(store.record_token(token)).expect("it is recorded");
        }
    }
}

#[test]
fn expired_tokens_are_flushed_and_good_ones_stay() {
    let (here, server, ada) = with_ada();
    assert_eq!(here.say(&["flushexpiredtokens"]), "0 expired tokens and 0 sessions deleted.\n");
    here.record_expired_tokens(2);
    assert_eq!(here.say_json(&["flushexpiredtokens"]), json!({"sessions": 0, "tokens": 2}));
    let fresh = server.anon().tokens("ada", PASSWORD);
    assert_eq!(here.say_json(&["flushexpiredtokens"]), json!({"sessions": 0, "tokens": 0}));
    assert_eq!([&fresh, &ada].map(|tokens| server.anon().refresh(tokens)), [200, 200]);
}

#[test]
fn a_command_that_only_looks_makes_nothing_in_the_wrong_directory() {
    let here = Installation::new();
    for command in [&["user", "list"][..], &["changepassword", "ada"], &["flushexpiredtokens"]] {
        let sentence = here.refusal(command);
        assert!(
            sentence.starts_with("there is no database countersign.sqlite3; run this where"),
            "{sentence}"
        );
    }
    assert_eq!(here.say(&["check"]), "No issues.\n", "settings can be checked before the first start");
    assert_eq!(here.path().read_dir().expect("a directory").count(), 0);
}

#[test]
fn with_json_a_failure_is_json_too() {
    let failed = Installation::new().run(&["user", "show", "ada", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&failed.stderr).expect("one JSON value");
    assert!(!failed.success && error["error"].as_str().is_some_and(|text| text.contains("no database")));
}

#[test]
fn what_may_take_long_shows_on_a_terminal_that_it_goes_on_and_nowhere_else() {
    let here = Installation::new().with("TERM", "xterm");
    for (arguments, shown) in [
        (&["migrate"][..], "Bringing the tables up to date"),
        (&["check"], "Checking the database"),
        (&["keys", "generate"], "At the keys"),
        (&["audit", "verify"], "Walking along the audit log"),
        (&["audit", "erase", "--user", "1"], "Erasing in the audit log"),
    ] {
        let mut terminal = here.on_a_terminal(arguments);
        terminal.exp_string(shown).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert!(end(terminal).1, "{arguments:?}");
        let finished = here.run(arguments);
        assert!(!finished.stderr.contains(shown) && !finished.stdout.contains(shown), "{arguments:?}");
    }
    let mut terminal = here.on_a_terminal_with(&["audit", "export"], ">/dev/null");
    terminal.exp_string("/3 rows").expect("it counts the events");
    assert!(end(terminal).1);
}

#[test]
fn the_log_has_colours_on_a_terminal_that_wants_them_and_nowhere_else() {
    const COLOUR: &str = "\u{1b}[";
    let warned = || Installation::new().with("VERIFYING_KEY", "abc").with("LOG_FORMAT", "pretty");
    for (settings, has_colours) in [
        (&[("TERM", "xterm")][..], true),
        (&[("TERM", "xterm"), ("NO_COLOR", "")], true),
        (&[("TERM", "xterm"), ("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let here = settings.iter().fold(warned(), |here, (name, value)| here.with(name, *value));
        let (shown, succeeded) = end(here.on_a_terminal(&["check", "--silence", "countersign.W004"]));
        let line = shown.lines().find(|line| line.contains("WARN")).expect("a line of the log");
        assert_eq!((line.contains(COLOUR), succeeded), (has_colours, true), "{settings:?}: {line:?}");
    }
    let piped = warned().with("TERM", "xterm").run(&["check"]);
    assert!(piped.stderr.contains("WARN") && !piped.stderr.contains(COLOUR), "{}", piped.stderr);
}

#[test]
fn a_first_account_says_that_it_made_the_database_and_makes_none_when_it_is_refused() {
    for command in [&["createsuperuser", "root"][..], &["user", "create", "root"]] {
        let here = Installation::new();
        here.refusal(command);
        let typed = [command, &["--password-stdin"]].concat();
        assert!(!here.run_with_stdin(&typed, "12345\n").success, "too common");
        assert_eq!(here.path().read_dir().expect("a directory").count(), 0, "{command:?} made something");
        assert!(
            create(&here, command).ends_with("\nin sqlite:countersign.sqlite3 (made now)\n"),
            "{command:?}"
        );
        let second = [&command[..command.len() - 1], &["eve"]].concat();
        assert!(!create(&here, &second).contains("made now"), "{second:?}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_made() {
    let here = Installation::new();
    for address in ["foo", "127.0.0.1", "::1:8000", ":8000", "localhost:http"] {
        for arguments in [&["serve", "--addr", address][..], &["--addr", address]] {
            let refused = here.run(arguments);
            assert!(
                !refused.success && refused.stderr.contains("such as 127.0.0.1:8000"),
                "{}",
                refused.stderr
            );
        }
    }
    assert_eq!(here.path().read_dir().expect("a directory").count(), 0);
}
