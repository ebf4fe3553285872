//! What is said, on either stream and however much is logged, is never a secret.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::traces::Collector;
use super::{Client, Installation, PASSWORD, Tokens, http2_client, token};
use crate::cluster::Cluster;

const SECRET_KEY: &str = "a-secret-key-that-nobody-may-ever-see-in-a-log";
const COLLECTOR_KEY: &str = "a-key-that-only-the-collector-may-see";
const DATABASE_PASSWORD: &str = "a-password-that-only-the-database-may-see";
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
    let signatures = given.iter().chain([&ada.refresh, &ada.access]).map(|token| signature(token));
    let plus = [PASSWORD, WRONG_PASSWORD].map(|password| password.replace(' ', "+"));
    let known = [PASSWORD, WRONG_PASSWORD, SECRET_KEY, COLLECTOR_KEY, DATABASE_PASSWORD, "argon2$"];
    let of_cookies = [use_cookies(anon), use_http2(anon)].concat();
    signatures
        .chain(plus)
        .chain(known.map(str::to_owned))
        .chain(of_cookies.into_iter().filter(|value| !value.is_empty()))
        .collect()
}

/// As a page in a browser does it that keeps its tokens in cookies, and a proxy that asks on its behalf; returns all that was
/// handed out.
fn use_cookies(anon: &Client) -> Vec<String> {
    let login = json!({"username": "ada", "password": PASSWORD}).to_string();
    let page = "Content-Type: application/json\r\nSec-Fetch-Site: same-origin\r\n";
    let begun = Page::of(anon, "POST", "/user/api/login/", page, &login);
    let Page { cookies, .. } = &begun;
    assert_eq!(cookies.len(), 4, "of both tokens, of the page and of the device");
    let kept = format!("{page}Cookie: {}\r\nX-CSRFToken: {}\r\n", cookies.join("; "), begun.csrf);
    Page::of(anon, "GET", "/user/api/me/", &kept, "");
    Page::of(anon, "GET", "/auth/verify", &kept, "");
    let refreshed = Page::of(anon, "POST", "/user/api/token/refresh/", &kept, "{}");
    let kept =
        format!("{page}Cookie: {}\r\nX-CSRFToken: {}\r\n", refreshed.cookies.join("; "), refreshed.csrf);
    Page::of(anon, "POST", "/user/api/logout/", &kept, "{}");
    let device = cookies.iter().find(|cookie| cookie.contains("countersign_device")).expect("a mark");
    let (_, mark) = device.split_once('=').expect("a cookie has a value");
    let json = "Content-Type: application/json\r\n";
    for device in [format!("Cookie: {device}\r\n"), format!("X-Known-Device: {mark}\r\n")] {
        Page::of(anon, "POST", "/user/api/login/", &format!("{json}{device}"), &login);
    }
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let ada = anon.tokens("ada", PASSWORD);
    Page::of(anon, "POST", "/user/api/token/verify/", form, &format!("token={}", ada.access));
    let bearer = format!("Authorization: Bearer {}\r\n", ada.access);
    Page::of(anon, "GET", "/auth/verify?superuser=0", &bearer, "");
    let other = anon.tokens("ada", PASSWORD);
    let sessions = Page::of(anon, "GET", "/user/api/sessions/", &bearer, "").body;
    let is_another = |session: &&Value| session["current"] == false;
    let id = sessions.as_array().expect("a list").iter().find(is_another).expect("another")["id"].clone();
    Page::of(anon, "DELETE", &format!("/user/api/sessions/{}/", id.as_str().expect("an id")), &bearer, "");
    Page::of(anon, "POST", "/user/api/logout/all/", &bearer, "");
    let of_cookies = [&begun, &refreshed].into_iter().flat_map(|page| &page.cookies);
    let values = of_cookies.filter_map(|cookie| Some(cookie.split_once('=')?.1.to_owned()));
    let tokens = [ada.access, ada.refresh, other.access, other.refresh].map(|token| signature(&token));
    values.chain([begun.csrf.clone(), refreshed.csrf.clone()]).chain(tokens).collect()
}

/// The same once more over HTTP/2, whose library has a log of its own; returns what was handed out and in.
fn use_http2(anon: &Client) -> Vec<String> {
    const JSON: (&str, &str) = ("content-type", "application/json");
    let login = |password| json!({"username": "ada", "password": password}).to_string();
    let page = [JSON, ("sec-fetch-site", "same-origin")];
    let [wrong, begun, page] = http2_client::ask_all(
        &anon.address,
        [
            ("POST", "/user/api/login/", &[JSON], &login(WRONG_PASSWORD)),
            ("POST", "/user/api/login/?bearer", &[JSON], &login(PASSWORD)),
            ("POST", "/user/api/login/", &page, &login(PASSWORD)),
        ],
    );
    assert_eq!([wrong.0, begun.0, page.0], [401, 200, 200], "{page:?}");
    let (access, refresh) = (token(&begun.1, "access"), token(&begun.1, "refresh"));
    let (bearer, cookie) = (format!("Bearer {access}"), format!("session={refresh}"));
    let headers = [
        ("authorization", bearer.as_str()),
        ("cookie", &cookie),
        ("x-request-id", &access),
        ("user-agent", &refresh),
    ];
    let (in_query, exchanged) =
        (format!("/user/api/me/?token={access}"), json!({"refresh": refresh}).to_string());
    let [me, in_query, refreshed] = http2_client::ask_all(
        &anon.address,
        [
            ("GET", "/user/api/me/", &headers, ""),
            ("GET", &in_query, &[], ""),
            ("POST", "/user/api/token/refresh/", &[JSON], &exchanged),
        ],
    );
    assert_eq!([me.0, in_query.0, refreshed.0], [200, 401, 200], "{refreshed:?}");
    let refreshed = &refreshed.1;
    let signatures = [&access, &refresh, &token(refreshed, "access"), &token(refreshed, "refresh")];
    let csrf = token(&page.1, "csrf_token");
    signatures.map(|token| signature(token)).into_iter().chain([csrf]).collect()
}

/// An answer that a browser got.
struct Page {
    /// `NAME=VALUE` of each cookie that it sets.
    cookies: Vec<String>,
    body: Value,
    csrf: String,
}

impl Page {
    /// Asks for it; it has to be had.
    fn of(anon: &Client, method: &str, path: &str, headers: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(&anon.address).expect("it listens");
        let (host, length) = (&anon.address, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        let lines = head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        let cookies = lines.map(|line| line.split(';').next().unwrap_or_default().to_owned()).collect();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let csrf = body.get("csrf_token").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { cookies, body, csrf }
    }
}

/// A part of a token is a secret as the whole is.
fn signature(token: &str) -> String {
    token.rsplit_once('.').expect("three parts").1.to_owned()
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
    nothing_is_said(Installation::new());
}

#[test]
fn the_same_is_so_on_postgresql_and_of_its_password() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let url = database.url();
    // Servers for tests let in whoever comes, with any password.
    let with_password = match url.split_once('@') {
        Some((user, host)) if !user.trim_start_matches("postgresql://").contains(':') => {
            format!("{user}:{DATABASE_PASSWORD}@{host}")
        }
        _ => url,
    };
    nothing_is_said(Installation::new().with("DATABASE_URL", with_password));
}

fn nothing_is_said(here: Installation) {
    let collector = Collector::start();
    let here = here
        .with("TOKEN_COOKIES", "on")
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
    assert!(log.contains("\"h2::"), "HTTP/2's library logs as well");
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
