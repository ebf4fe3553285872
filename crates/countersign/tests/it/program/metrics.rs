//! What is measured, as Prometheus would find it.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::{Client, Installation, PASSWORD, Server, Tokens, token, until};

/// What is at `path` of an address: head and body.
fn get(address: &str, path: &str) -> (String, String) {
    answer(address, path, "")
}

/// The same, asked with these headers.
pub fn answer(address: &str, path: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// Where the greeting says that metrics are.
fn metrics_address(server: &Server) -> String {
    let line = server.greeting.lines().find(|line| line.contains("/metrics")).expect("it says where");
    line.split("http://")
        .nth(1)
        .and_then(|rest| rest.strip_suffix("/metrics"))
        .expect("an address")
        .to_owned()
}

fn metrics(server: &Server) -> String {
    get(&metrics_address(server), "/metrics").1
}

/// The value of a series, named as Prometheus writes it.
fn value<'a>(metrics: &'a str, series: &str) -> &'a str {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} in {metrics}"))
}

fn refresh(anon: &Client, refresh: &str) -> (u16, String) {
    let (status, body) = anon.post("token/refresh", &json!({"refresh": refresh}));
    (status, if status == 200 { token(&body, "refresh") } else { String::new() })
}

#[test]
fn logins_refreshes_and_requests_are_counted_by_how_they_ended() {
    let here = Installation::new()
        .with("METRICS_BIND", "127.0.0.1:0")
        .with("ROTATE_REFRESH_TOKENS", "True")
        .with("BLACKLIST_AFTER_ROTATION", "True");
    let server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    assert_eq!(anon.register("ada", PASSWORD).0, 400);
    assert_eq!(anon.login("nobody", PASSWORD).0, 401);
    assert_eq!(anon.login("ada", "wrong horse battery").0, 401);
    let Tokens { refresh: first, access } = anon.tokens("ada", PASSWORD);
    let (_, second) = refresh(&anon, &first);
    assert_eq!(refresh(&anon, &first).1, second, "a lost answer");
    assert_eq!(refresh(&anon, &second).0, 200);
    assert_eq!(refresh(&anon, &first).0, 401, "a thief");
    assert_eq!(refresh(&anon, "nonsense").0, 401);
    let bearer = format!("Authorization: Bearer {access}\r\n");
    assert_eq!(anon.exchange("GET", "me", &bearer, "").expect("an answer").0, 401, "its session has ended");
    let ada = anon.tokens("ada", PASSWORD);
    let bearer = format!("Authorization: Bearer {}\r\n", ada.access);
    assert_eq!(anon.exchange("POST", "logout", &bearer, "").expect("an answer").0, 200);

    // A worker answers before it notes how long it took.
    until(|| value(&metrics(&server), "countersign_hashing_work_seconds_count") == "5");
    let found = metrics(&server);
    for (series, wanted) in [
        ("registrations_total{outcome=\"done\"}", "1"),
        ("registrations_total{outcome=\"refused\"}", "1"),
        ("logins_total{outcome=\"done\"}", "2"),
        ("logins_total{outcome=\"unknown_user\"}", "1"),
        ("logins_total{outcome=\"wrong_password\"}", "1"),
        ("refreshes_total{outcome=\"done\"}", "2"),
        ("refreshes_total{outcome=\"repeated\"}", "1"),
        ("refreshes_total{outcome=\"reuse_detected\"}", "1"),
        ("refreshes_total{outcome=\"refused\"}", "1"),
        ("sessions_ended_total{reason=\"refresh_token_reused\"}", "1"),
        ("sessions_ended_total{reason=\"logged_out\"}", "1"),
        ("http_requests_total{route=\"/user/api/token/refresh/\",status=\"200\",code=\"\"}", "3"),
        (
            "http_requests_total{route=\"/user/api/token/refresh/\",status=\"401\",code=\"token_not_valid\"}",
            "2",
        ),
        ("http_requests_total{route=\"/user/api/me/\",status=\"401\",code=\"bearer_token_not_valid\"}", "1"),
        ("http_request_duration_seconds_count{route=\"/user/api/login/\"}", "4"),
        ("hashing_work_seconds_count", "5"),
        ("hashing_queue_length", "0"),
        ("ready", "1"),
        ("check_failing{check=\"database\"}", "0"),
    ] {
        assert_eq!(value(&found, &format!("countersign_{series}")), wanted, "{series}");
    }
    assert_ne!(value(&found, "countersign_database_writes_per_commit_count"), "0");
}

#[test]
fn paths_and_methods_that_clients_make_up_become_no_labels() {
    let here = Installation::new().with("METRICS_BIND", "127.0.0.1:0");
    let server = here.serve();
    let series = || metrics(&server).lines().filter(|line| !line.starts_with('#')).count();
    for request in
        ["GET /user/api/nope/", "BREW /user/api/me/", "GET /user/api/sessions/abc/", "GET /user/api/me"]
    {
        let ask = |request: &str| {
            let mut stream = TcpStream::connect(&server.address).expect("it listens");
            let host = &server.address;
            let text = format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).expect("it reads");
            stream.read_to_end(&mut Vec::new()).expect("an answer");
        };
        ask(request);
        let once = series();
        for number in 0..5 {
            ask(&request.replace("nope", &format!("nope{number}")).replace("BREW", &format!("BREW{number}")));
            ask(&request.replace("abc", &format!("abc{number}")));
        }
        assert_eq!(series(), once, "{request}");
    }
    let found = metrics(&server);
    assert!(!found.contains("nope") && !found.contains("BREW") && !found.contains("abc"), "{found}");
    assert_eq!(
        value(&found, "countersign_http_requests_total{route=\"none\",status=\"404\",code=\"not_found\"}"),
        "11"
    );
}

#[test]
fn metrics_are_on_their_own_address_only_and_only_when_asked_for() {
    let here = Installation::new().with("METRICS_BIND", "127.0.0.1:0");
    let server = here.serve();
    assert!(get(&server.address, "/metrics").0.starts_with("HTTP/1.1 404"));
    let address = metrics_address(&server);
    assert!(get(&address, "/user/api/me/").0.starts_with("HTTP/1.1 404"));
    let (head, body) = get(&address, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("countersign_build_info{version=\"") && !body.contains("# EOF"), "{body}");
    assert!(body.contains("# TYPE countersign_logins_total counter\n"), "{body}");
    let (head, body) =
        answer(&address, "/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n") && body.contains("# TYPE countersign_logins counter\n"), "{body}");
    let here = Installation::new();
    assert!(!here.serve().greeting.contains("/metrics"));

    let here = Installation::new().with("METRICS_BIND", "9464");
    assert_eq!(
        here.refusal(&["serve"]),
        "METRICS_BIND: must be an address with a port, such as 127.0.0.1:9464 (it stands in the environment)"
    );
    let here = Installation::new().with("METRICS_BIND", address.clone()).with("PORT", "0");
    let refusal = here.refusal(&["serve"]);
    assert!(refusal.contains(&address) && refusal.contains("METRICS_BIND"), "{refusal}");
}

#[test]
fn live_sessions_and_keys_are_counted_at_the_start() {
    let here = Installation::new().with("METRICS_BIND", "127.0.0.1:0");
    let server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    anon.tokens("ada", PASSWORD);
    server.signal("TERM");
    server.wait();
    let again = here.serve();
    until(|| metrics(&again).contains("countersign_sessions_live 1\n"));
    until(|| metrics(&again).contains("countersign_keys{state=\"signing\"} 1\n"));
}

#[test]
fn events_of_servers_and_of_the_command_line_are_counted_by_kind() {
    let here = Installation::new().with("METRICS_BIND", "127.0.0.1:0");
    here.say(&["migrate"]);
    drop(here.serve()); // whose start is one of before
    let server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    anon.tokens("ada", PASSWORD);
    assert_eq!(anon.login("ada", "wrong horse battery").0, 401);
    here.say(&["user", "deactivate", "ada"]);
    for (kind, count) in [
        ("server_started", 1),
        ("user_created", 1),
        ("login", 1),
        ("login_failed", 1),
        ("user_changed", 1),
        ("user_deleted", 0),
    ] {
        let series = format!("countersign_events_total{{kind=\"{kind}\"}} {count}\n");
        until(|| metrics(&server).contains(&series));
    }
}
