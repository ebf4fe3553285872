//! The audit log as its operator reads it, and what `explain` says.

use serde_json::{Value, json};

use super::metrics::answer;
use super::{Installation, PASSWORD, Server};

const SECRET_KEY: &str = "a-secret-key-that-nobody-may-ever-see-in-a-log";

fn stop(server: Server) {
    server.signal("TERM");
    assert!(server.wait().1);
}

/// The events that an export has.
fn export(here: &Installation, filters: &[&str]) -> Vec<Value> {
    let lines = here.say(&[&["audit", "export"], filters].concat());
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event.get("kind")?.as_str()).collect()
}

/// The only event of this kind.
fn one(here: &Installation, kind: &str) -> Value {
    let [event] = export(here, &["--kind", kind]).try_into().expect("one");
    event
}

fn at<'a>(event: &'a Value, path: &str) -> &'a Value {
    event.pointer(path).unwrap_or(&Value::Null)
}

/// Ada has registered and logged in, once with a wrong password; the server has stopped.
fn with_ada() -> Installation {
    let here = Installation::new().with("SECRET_KEY", SECRET_KEY);
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    assert_eq!(server.anon().login("ada", "a wrong one").0, 401);
    server.anon().tokens("ada", PASSWORD);
    stop(server);
    here
}

#[test]
fn an_export_has_what_was_done_and_filters_it() {
    let here = with_ada();
    let all = export(&here, &[]);
    // What has failed is recorded a moment later.
    let mut sorted = kinds(&all);
    sorted.sort_unstable();
    assert_eq!(sorted, ["login", "login_failed", "server_started", "user_created"]);
    let (start, login) = (one(&here, "server_started"), one(&here, "login"));
    assert_eq!((at(&start, "/position"), at(&start, "/details/settings")), (&json!(1), &json!("SECRET_KEY")));
    assert_eq!(at(&start, "/details/digest").as_str().expect("a digest").len(), 64);
    assert_eq!(
        (at(&login, "/personal/name"), at(&login, "/personal/address")),
        (&json!("ada"), &json!("127.0.0.1"))
    );
    let text = here.say(&["audit", "export"]);
    for secret in [PASSWORD, SECRET_KEY, "argon2"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(export(&here, &["--user", "1"]).len(), 3);
    assert_eq!(export(&here, &["--user", "2"]).len(), 0);
    assert_eq!(export(&here, &["--kind", "login", "--kind", "user_created"]).len(), 2);
    let request = at(&login, "/request_id").as_str().expect("a name");
    assert_eq!(kinds(&export(&here, &["--request", request])), ["login"]);
    let time = at(&login, "/at").as_str().expect("a time");
    assert_eq!(kinds(&export(&here, &["--since", time, "--kind", "login"])), ["login"]);
    assert_eq!(export(&here, &["--until", time, "--kind", "login"]).len(), 0);
    assert!(!here.run(&["audit", "export", "--kind", "nothing"]).success);
}

#[test]
fn a_chain_that_is_whole_is_said_to_be_and_a_changed_event_is_named() {
    let here = with_ada();
    let whole = here.say(&["audit", "verify"]);
    let noted = whole.trim_end().rsplit(' ').next().expect("an end").to_owned();
    assert!(
        whole.starts_with("4 events; of 0 the personal data were erased.\nThe chain is whole."),
        "{whole}"
    );
    assert!(noted.starts_with("4:"), "{whole}");
    here.say(&["audit", "verify", "--noted", &noted]);
    let other = here.run(&["audit", "verify", "--noted", &format!("3:{}", "0".repeat(64))]);
    assert!(!other.success && other.stdout.contains("BROKEN: event 3 is not the one that was noted"));
    let failed = at(&one(&here, "login_failed"), "/position").to_string();
    // In the file, past the program.
    let path = here.path().join("countersign.sqlite3");
    let mut bytes = std::fs::read(&path).expect("a database");
    let [before, after] = [b"wrong_password", b"wrong_passw0rd"];
    let places: Vec<usize> =
        (0..bytes.len() - before.len()).filter(|place| bytes[*place..].starts_with(before)).collect();
    for place in places {
        bytes[place..place + after.len()].copy_from_slice(after);
    }
    std::fs::write(&path, bytes).expect("it is writable");
    let broken = here.run(&["audit", "verify"]);
    assert!(!broken.success && broken.stderr.is_empty(), "{}", broken.stderr);
    assert!(broken.stdout.contains(&format!("BROKEN: event {failed} (")), "{}", broken.stdout);
    assert!(broken.stdout.contains("compare it with a backup"), "{}", broken.stdout);
    let broken = here.run(&["audit", "verify", "--json"]);
    let found: Value = serde_json::from_str(&broken.stdout).expect("JSON");
    assert_eq!(found["breaks"].as_array().map(Vec::len), Some(1), "{found}");
}

#[test]
fn what_is_personal_is_erased_on_request_and_with_the_account() {
    let here = with_ada();
    assert_eq!(here.say_json(&["audit", "erase", "--user", "1"]), json!({"events": 3}));
    assert!(!here.say(&["audit", "export"]).contains("127.0.0.1"));
    let whole = here.say(&["audit", "verify"]);
    assert!(
        whole.starts_with("5 events; of 3 the personal data were erased.\nThe chain is whole."),
        "{whole}"
    );
    let server = here.serve();
    server.anon().tokens("ada", PASSWORD);
    assert!(here.say(&["audit", "export"]).contains("127.0.0.1"));
    here.say(&["user", "delete", "ada"]);
    assert!(!here.say(&["audit", "export"]).contains("127.0.0.1"));
    assert_eq!(kinds(&export(&here, &["--kind", "user_deleted"])), ["user_deleted"]);
    assert!(here.run(&["audit", "verify"]).success, "beside the server too");
}

#[test]
fn a_login_that_was_answered_is_in_the_chain_though_the_server_was_killed_at_once() {
    let here = Installation::new();
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    server.anon().tokens("ada", PASSWORD);
    drop(server); // kills it
    assert_eq!(kinds(&export(&here, &[])), ["server_started", "user_created", "login"]);
    assert!(here.run(&["audit", "verify"]).success);
}

#[test]
fn the_start_says_by_its_digest_whether_settings_have_changed() {
    let here = Installation::new().with("SECRET_KEY", SECRET_KEY);
    for _ in 0..2 {
        stop(here.serve());
    }
    let here = here.with("REFRESH_GRACE", "30");
    stop(here.serve());
    let starts = export(&here, &["--kind", "server_started"]);
    let digest = |start: usize| at(&starts[start], "/details/digest");
    assert_eq!(digest(0), digest(1));
    assert_ne!(digest(1), digest(2));
    assert_eq!(at(&starts[2], "/details/settings"), "SECRET_KEY REFRESH_GRACE");
}

#[test]
fn a_refused_request_is_explained_by_its_name() {
    let here = Installation::new();
    let server = here.serve();
    let named = |name: &str, more: &str| {
        answer(&server.address, "/user/api/me/", &format!("X-Request-Id: {name}\r\n{more}"));
    };
    named("the-one", "Authorization: Bearer not-a-token\r\n");
    named("no-token", "");
    super::until(|| here.run(&["explain", "no-token"]).success); // beside the server, within a second or so
    let said = here.say(&["explain", "the-one"]);
    assert!(said.contains(" /user/api/me/ was answered 401 bearer_token_not_valid.\n"), "{said}");
    assert!(said.ends_with("\n  rule: token_malformed_or_forged\n"), "{said}");
    let said = here.say_json(&["explain", "no-token"]);
    assert_eq!(said["refusals"][0]["code"], "not_authenticated", "{said}");
    let sentence = here.refusal(&["explain", "unheard-of"]);
    assert!(sentence.starts_with("no refusal of a request called \"unheard-of\" is known"), "{sentence}");
    named("the-last", "");
    stop(server);
    here.say(&["explain", "the-last"]); // recorded at the end
}

#[test]
fn a_time_and_an_end_that_are_none_are_told_with_their_form() {
    let here = Installation::new();
    for time in ["yesterday", "1h", "2026-01-01"] {
        let refused = here.run(&["audit", "export", "--since", time]);
        assert!(refused.stderr.contains("must be a time such as 2026-01-31T12:00:00Z"), "{}", refused.stderr);
    }
    for end in ["1:abc", "1", &format!("1:{}", "g".repeat(64)), &format!("x:{}", "0".repeat(64))] {
        let refused = here.run(&["audit", "verify", "--noted", end]);
        assert!(!refused.success && refused.stderr.contains("64 hexadecimal digits"), "{}", refused.stderr);
    }
    here.say(&["migrate"]);
    let whole = here.say(&["audit", "verify"]);
    assert!(whole.ends_with(" 0:\n"), "{whole}");
    here.say(&["audit", "verify", "--noted", "0:"]);
}
