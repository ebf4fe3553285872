//! What is said, on either stream and however much is logged, is never a secret.

use serde_json::json;

use super::traces::Collector;
use super::{Client, Installation, PASSWORD, Tokens, token};

const SECRET_KEY: &str = "a-secret-key-that-nobody-may-ever-see-in-a-log";
const COLLECTOR_KEY: &str = "a-key-that-only-the-collector-may-see";
const WRONG_PASSWORD: &str = "wrong horse battery";

/// One of everything that carries a secret; returns the secrets.
fn use_everything(anon: &Client) -> Vec<String> {
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    assert_eq!(anon.register("ada", PASSWORD).0, 400);
    assert_eq!(anon.register("grace", "12345").0, 400);
    assert_eq!(anon.login("ada", WRONG_PASSWORD).0, 401);
    assert_eq!(anon.login("nobody", WRONG_PASSWORD).0, 401);
    let ada = anon.tokens("ada", PASSWORD);
    let (status, sliding) = anon.post("login/sliding", &json!({"username": "ada", "password": PASSWORD}));
    assert_eq!(status, 200);
    assert_eq!(anon.me(&ada).0, 200);
    let (status, refreshed) = anon.post("token/refresh", &json!({"refresh": ada.refresh}));
    assert_eq!(status, 200);
    let broken = format!("{}x", ada.refresh);
    assert_eq!(anon.post("token/refresh", &json!({"refresh": broken})).0, 401);
    assert_eq!(anon.post("token/verify", &json!({"token": ada.access})).0, 200);
    assert_eq!(anon.post("token/blacklist", &json!({"refresh": token(&refreshed, "refresh")})).0, 200);
    let broken = Tokens { refresh: String::new(), access: format!("{}x", ada.access) };
    assert_eq!(anon.me(&broken).0, 401);
    leave_secrets_everywhere(anon, &ada);
    let given = [token(&sliding, "token"), token(&refreshed, "access"), token(&refreshed, "refresh")];
    let signatures = given.iter().chain([&ada.refresh, &ada.access]).map(|token| {
        let (_, signature) = token.rsplit_once('.').expect("three parts");
        signature.to_owned() // a part of a token is a secret as the whole is
    });
    let plus = [PASSWORD, WRONG_PASSWORD].map(|password| password.replace(' ', "+"));
    signatures
        .chain(plus)
        .chain([PASSWORD, WRONG_PASSWORD, SECRET_KEY, COLLECTOR_KEY, "argon2$"].map(str::to_owned))
        .collect()
}

/// In forms, headers, paths and query strings, where clients put them by mistake, or proxies pass them on.
fn leave_secrets_everywhere(anon: &Client, ada: &Tokens) {
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let plus = PASSWORD.replace(' ', "+");
    for (password, wanted) in [(&plus, 200), (&WRONG_PASSWORD.replace(' ', "+"), 401)] {
        let body = format!("username=ada&password={password}");
        assert_eq!(anon.exchange("POST", "login", form, &body).expect("an answer").0, wanted);
    }
    let Tokens { refresh, access } = ada;
    let traced = format!(
        "Authorization: Bearer {access}\r\nX-Request-Id: {access}\r\ntraceparent: 00-{refresh}-00f067aa0ba902b7-01\r\n\
         X-Forwarded-For: {access}\r\nCookie: session={refresh}\r\nUser-Agent: {access}\r\nReferer: /?t={access}\r\n"
    );
    assert_eq!(anon.exchange("GET", "me", &traced, "").expect("an answer").0, 200);
    let in_path = format!("nope/{access}");
    assert_eq!(anon.exchange("GET", &in_path, "Accept: application/json\r\n", ""), None, "a page");
    let in_query = format!("me/?token={access}&password={plus}&x=");
    assert_eq!(anon.exchange("GET", &in_query, "", "").expect("an answer").0, 401);
    let in_method = access.replace('.', "-");
    assert_eq!(anon.exchange(&in_method, "me", "", ""), None, "a page");
}

#[test]
fn no_password_token_key_or_hash_is_logged_or_traced_even_at_trace() {
    let collector = Collector::start();
    let here = Installation::new()
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.clone())
        .with("OTEL_EXPORTER_OTLP_HEADERS", format!("x-collector-key={COLLECTOR_KEY}"))
        .with("LOG", "trace")
        .with("ACCESS_LOG", "on")
        .with("SECRET_KEY", SECRET_KEY)
        .with("ROTATE_REFRESH_TOKENS", "True")
        .with("BLACKLIST_AFTER_ROTATION", "False");
    let server = here.serve();
    let mut secrets = use_everything(&server.anon());
    let changed = here.run_with_stdin(&["changepassword", "ada", "--password-stdin"], "quite another one\n");
    assert!(changed.success, "{}", changed.stderr);
    secrets.push("quite another one".to_owned());
    server.anon().tokens("ada", "quite another one");
    let made = here.run_with_stdin(
        &["createsuperuser", "root", "--email", "root@example.com", "--password-stdin"],
        "known to the root alone\n",
    );
    assert!(made.success, "{}", made.stderr);
    secrets.push("known to the root alone".to_owned());
    let shown = here.run(&["user", "show", "ada", "--json"]);
    let greeting = server.greeting.clone();
    server.signal("TERM");
    let (rest, _) = server.wait();

    let log = here.log();
    assert!(changed.stderr.contains("password changed"), "something is logged: {}", changed.stderr);
    let audit = here.say(&["audit", "export"]);
    assert!(audit.contains("login_failed") && audit.contains("password_changed"), "{audit}");
    let traced = collector.text();
    assert!(traced.contains("/user/api/token/refresh/") && traced.contains("hashing work"), "{traced}");
    let said = [
        greeting,
        rest,
        log,
        traced,
        changed.stdout,
        changed.stderr,
        made.stdout,
        made.stderr,
        shown.stdout,
        shown.stderr,
        audit,
    ]
    .concat();
    for secret in secrets {
        let line = said.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} was said");
    }
}

#[test]
fn a_key_that_was_made_is_not_said_either() {
    let here = Installation::new().with("LOG", "trace");
    let server = here.serve();
    let key = std::fs::read_to_string(here.path().join("countersign.sqlite3.key")).expect("a key");
    let checked = here.run(&["check"]);
    let said = [server.greeting.as_str(), &here.log(), &checked.stdout, &checked.stderr].concat();
    assert!(key.trim().len() >= 64 && !said.contains(key.trim()), "{said}");
}
