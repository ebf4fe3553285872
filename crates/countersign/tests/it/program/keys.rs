//! Signing keys, exchanged from the command line beside a running server.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::{Client, Installation, PASSWORD, Server, Tokens, read_answer, until};

const OLD_KEY: &str = "the-secret-key-of-yesterday-0123456789";
const NEW_KEY: &str = "the-secret-key-of-today-0123456789-abc";

impl Client {
    fn published_kids(&self) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let host = &self.address;
        let head =
            format!("GET /.well-known/jwks.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it reads");
        let (status, set) = read_answer(stream).expect("an answer");
        assert_eq!(status, 200);
        let keys = set.get("keys").and_then(Value::as_array).expect("a list");
        keys.iter().map(kid).collect()
    }

    /// The header of the tokens that are signed now.
    fn token_header(&self) -> Value {
        let access = self.tokens("ada", PASSWORD).access;
        let header = access.split('.').next().expect("a header");
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON")
    }
}

fn with_ada(here: &Installation) -> (Server, Tokens) {
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let ada = server.anon().tokens("ada", PASSWORD);
    (server, ada)
}

fn is_logged_in(server: &Server, tokens: &Tokens) {
    assert_eq!((server.anon().me(tokens).0, server.anon().refresh(tokens)), (200, 200));
}

fn kid(key: &Value) -> String {
    key.get("kid").and_then(Value::as_str).expect("a kid").to_owned()
}

#[test]
fn moving_to_eddsa_beside_a_running_server_logs_nobody_out() {
    let here = Installation::new();
    let (server, ada) = with_ada(&here);
    assert_eq!(server.anon().token_header(), json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(server.anon().published_kids(), [""; 0]);

    let next = here.say_json(&["keys", "generate"]);
    let members: Vec<&String> = next.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["kid", "algorithm", "state", "created", "changed", "retire_after"]);
    assert_eq!([&next["algorithm"], &next["state"]], ["EdDSA", "next"]);
    let next = kid(&next);
    until(|| server.anon().published_kids() == [next.clone()]);
    let early = here.refusal(&["keys", "rotate"]);
    assert!(
        early.starts_with(&format!("verifiers may not have fetched {next} yet: it may sign in ")),
        "{early}"
    );

    let rotated = here.say_json(&["keys", "rotate", "--now"]);
    assert_eq!((kid(&rotated), &rotated["state"]), (next.clone(), &json!("signing")));
    until(|| server.anon().token_header()["kid"] == json!(next));
    is_logged_in(&server, &ada);
    is_logged_in(&server, &server.anon().tokens("ada", PASSWORD));
    until(|| here.log().contains("the signing keys have changed"));

    let needed = here.refusal(&["keys", "retire", "configured"]);
    assert!(needed.starts_with("tokens that configured signed may be good until "), "{needed}");
    let said = here.say(&["keys", "retire", "configured", "--now"]);
    assert_eq!(said, "configured is retired: no token of it is accepted any more.\n");
    until(|| server.anon().me(&ada).0 == 401);
    is_logged_in(&server, &server.anon().tokens("ada", PASSWORD));
    let (rest, success) = {
        server.signal("TERM");
        server.wait()
    };
    assert!(success && rest.contains("stopped"), "reading the keys anew does not keep it from stopping");
}

#[test]
fn the_list_says_what_each_key_does_and_what_may_be_done_with_it() {
    let here = Installation::new().with("KEY_PUBLISH_WINDOW", "1d");
    here.say(&["migrate"]);
    assert_eq!(
        here.say_json(&["keys", "list"]),
        json!([{"kid": "configured", "algorithm": "HS256", "state": "signing", "created": null, "changed": null,
                "retire_after": null}])
    );
    let said = here.say(&["keys", "generate", "--algorithm", "ES256"]);
    assert!(
        said.contains(" (ES256) is published. From 2") && said.ends_with(": countersign keys rotate\n"),
        "{said}"
    );
    let early = here.refusal(&["keys", "rotate"]);
    assert!(
        ["24h", "23h 59m"].iter().any(|time| early.contains(time)) && early.contains("KEY_PUBLISH_WINDOW"),
        "{early}"
    );
    let said = here.say(&["keys", "rotate", "--now"]);
    assert!(
        said.contains(" (ES256) signs now.\nconfigured goes on verifying. It is needed until 2"),
        "{said}"
    );
    here.say(&["keys", "generate"]);
    let list = here.say(&["keys", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(
        lines[0].starts_with("configured ") && lines[0].contains("  HS256   verifying since 2"),
        "{list}"
    );
    assert!(lines[0].contains(", may be retired from 2"), "{list}");
    assert!(lines[1].contains("  ES256   signing since 2"), "{list}");
    assert!(lines[2].contains("  EdDSA   next since 2") && lines[2].contains(", may sign from 2"), "{list}");
    assert!(here.say_json(&["keys", "list"])[0]["retire_after"].is_string());
}

#[test]
fn commands_that_make_no_sense_are_refused_with_what_to_type() {
    let here = Installation::new();
    assert!(here.refusal(&["keys", "list"]).starts_with("there is no database"));
    here.say(&["migrate"]);
    for (arguments, sentence) in [
        (&["rotate"][..], "there is no next key to rotate to; make one with `countersign keys generate`"),
        (
            &["generate", "--algorithm", "HS512"],
            "HS512 signs with a shared secret, which cannot be published",
        ),
        (&["generate", "--algorithm", "none"], "--algorithm: none is not an algorithm; use EdDSA"),
        (&["retire", "configured"], "configured signs; let another one sign first"),
        (&["retire", "x"], "no key is called \"x\"; `countersign keys list` shows them"),
    ] {
        let refused = here.refusal(&[&["keys"], arguments].concat());
        assert!(refused.starts_with(sentence), "{refused}");
    }
}

#[test]
fn a_secret_key_is_changed_with_the_former_one_as_fallback_and_nobody_is_logged_out() {
    let here = Installation::new().with("SECRET_KEY", OLD_KEY);
    let (server, ada) = with_ada(&here);
    here.say(&["keys", "generate"]);
    here.say(&["keys", "rotate", "--now"]);
    until(|| server.anon().token_header()["alg"] == json!("EdDSA"));
    let grace = server.anon().tokens("ada", PASSWORD);
    drop(server);

    let here = here.with("SECRET_KEY", NEW_KEY);
    for command in [&["check"][..], &["serve"], &["user", "list"]] {
        let refused = here.refusal(command);
        assert!(refused.starts_with("SECRET_KEY does not open the signing key "), "{refused}");
        assert!(refused.contains("SECRET_KEY_FALLBACKS"), "{refused}");
    }
    let here = here
        .with("SECRET_KEY_FALLBACKS", format!("[\"{OLD_KEY}\", \"a, b, and thirty more characters or so\"]"));
    assert_eq!(here.say(&["check"]), "No issues.\n");
    let server = here.serve();
    is_logged_in(&server, &ada);
    is_logged_in(&server, &grace);
    drop(server);

    let here = here.with("SECRET_KEY_FALLBACKS", "");
    let server = here.serve();
    assert_eq!(server.anon().me(&ada).0, 401, "the former key is forgotten");
    is_logged_in(&server, &grace);
}

#[test]
fn weak_and_needless_fallbacks_are_refused_or_warned_of() {
    let here =
        Installation::new().with("SECRET_KEY", NEW_KEY).with("SECRET_KEY_FALLBACKS", "your_secret_key");
    let refused = here.refusal(&["check"]);
    assert!(refused.starts_with("SECRET_KEY_FALLBACKS: a key there is a placeholder"), "{refused}");
    assert!(!refused.contains("your_secret_key"), "{refused}");
    let warned = here.with("DEBUG", "True").say(&["check"]);
    assert!(warned.contains("SECRET_KEY_FALLBACKS is a placeholder: whoever guesses it"), "{warned}");
    let here =
        Installation::new().with("SECRET_KEY", NEW_KEY).with("SECRET_KEY_FALLBACKS", format!("{NEW_KEY},"));
    assert!(here.say(&["check"]).contains("holds the current SECRET_KEY: it is not needed there"));
}

/// A directory of keys, of which one signs.
fn with_key_files() -> Installation {
    let here = Installation::new().with("SIGNING_KEYS_DIR", "keys");
    std::fs::create_dir(here.path().join("keys")).expect("a directory");
    here.with_key("keys/first.signing.pem")
}

impl Installation {
    fn with_key(self, name: &str) -> Self {
        let pem = SigningKey::generate_pem(Algorithm::EdDSA).expect("a key");
        let here = self.with_file(name, &pem);
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(here.path().join(name), mode).expect("the mode can be set");
        here
    }
}

#[test]
fn keys_in_files_sign_and_are_exchanged_by_renaming() {
    let here = with_key_files();
    let (server, ada) = with_ada(&here);
    let first = server.anon().token_header();
    assert_eq!(json!(server.anon().published_kids()), json!([first["kid"]]));
    let here = here.with_key("keys/second.next.pem");
    until(|| server.anon().published_kids().len() == 2);
    let rename =
        |from: &str, to: &str| std::fs::rename(here.path().join(from), here.path().join(to)).expect("a file");
    rename("keys/second.next.pem", "keys/second.signing.pem");
    rename("keys/first.signing.pem", "keys/first.verifying.pem");
    until(|| server.anon().token_header() != first);
    is_logged_in(&server, &ada);
    let states = here.say_json(&["keys", "list"]);
    let states = states.as_array().expect("a list").iter().map(|key| key["state"].clone());
    assert_eq!(states.collect::<Value>(), json!(["verifying", "verifying", "signing"]));
    for command in [&["generate"][..], &["rotate", "--now"], &["retire", "configured", "--now"]] {
        let refused = here.refusal(&[&["keys"], command].concat());
        assert!(
            refused.starts_with("SIGNING_KEYS_DIR holds the keys, and they are changed there"),
            "{refused}"
        );
    }
}

#[test]
fn key_files_that_cannot_be_used_stop_the_start_and_those_that_others_can_read_are_warned_of() {
    let here = with_key_files();
    assert_eq!(here.say(&["check"]), "No issues.\n");
    let key = here.path().join("keys/first.signing.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("the mode can be set");
    assert!(here.say(&["check"]).contains("keys/first.signing.pem can be read by others (mode 640)"));
    let here = here.with_key("keys/second.signing.pem");
    assert_eq!(
        here.refusal(&["serve"]),
        "SIGNING_KEYS_DIR: first.signing.pem and second.signing.pem both sign; rename one to …verifying.pem (it stands in the environment)"
    );
    std::fs::write(here.path().join("keys/second.signing.pem"), "nonsense").expect("it is writable");
    std::fs::rename(&key, here.path().join("keys/first.verifying.pem")).expect("a file");
    let refused = here.refusal(&["serve"]);
    assert!(
        refused.starts_with("SIGNING_KEYS_DIR: second.signing.pem: the key is not an unbroken PEM"),
        "{refused}"
    );
}

#[test]
fn no_private_key_is_said_even_at_trace() {
    let here = Installation::new().with("LOG", "trace").with("SECRET_KEY", OLD_KEY);
    let (server, _) = with_ada(&here);
    let mut said = String::new();
    for command in [&["generate"][..], &["rotate", "--now"], &["list"], &["list", "--json"]] {
        let finished = here.run(&[&["keys"], command].concat());
        assert!(finished.success, "{}", finished.stderr);
        said.extend([finished.stdout, finished.stderr]);
    }
    until(|| server.anon().token_header()["alg"] == json!("EdDSA"));
    said.push_str(&here.log());
    assert!(said.contains("signing key generated"), "{said}");
    // What every PKCS#8 text of an Ed25519 key begins with.
    for secret in ["PRIVATE KEY", "MC4CAQAwBQYDK2Vw", OLD_KEY] {
        assert!(!said.contains(secret), "{secret} was said");
    }
}
