//! Guessing is slowed down as the program comes, and the operator sees it.

use serde_json::json;

use super::metrics::answer;
use super::{Installation, PASSWORD, Server, until};

/// The status with which each of so many guesses is answered.
fn guesses(server: &Server, name: &str, count: usize) -> Vec<u16> {
    (0..count).map(|_| server.anon().login(name, "a guess").0).collect()
}

#[test]
fn guesses_are_slowed_down_by_default_alike_for_every_name() {
    let here = Installation::new();
    let server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    for _ in 0..30 {
        assert_eq!(anon.login("ada", PASSWORD).0, 200, "the right password costs nothing");
    }
    for name in ["ada", "nobody"] {
        let statuses = guesses(&server, name, 30);
        let admitted = statuses.iter().take_while(|status| **status == 401).count();
        assert!((12..=20).contains(&admitted), "{name}: {statuses:?}");
        assert!(statuses[admitted..].contains(&429), "{name}: {statuses:?}");
    }
    let here = Installation::new().with("THROTTLE", "off");
    assert_eq!(guesses(&here.serve(), "nobody", 60), [401; 60]);
}

#[test]
fn what_was_used_up_is_so_after_a_restart_too() {
    let here = Installation::new().with("THROTTLE_LOGIN_ACCOUNT", "2/hour");
    let server = here.serve();
    assert_eq!(guesses(&server, "ada", 2), [401, 429]);
    server.signal("TERM");
    server.wait();
    let (status, body) = here.serve().anon().login("ada", PASSWORD);
    assert_eq!(status, 429);
    let words = body["detail"].as_str().expect("words");
    assert!(words.starts_with("Request was throttled. Expected available in 1"), "{words}");
}

#[test]
fn what_was_refused_is_counted_by_the_budget_that_was_used_up() {
    let here =
        Installation::new().with("METRICS_BIND", "127.0.0.1:0").with("THROTTLE_LOGIN_ACCOUNT", "2/hour");
    let server = here.serve();
    assert_eq!(guesses(&server, "ada", 4), [401, 429, 429, 429]);
    let address =
        server.greeting.split("http://").find(|rest| rest.contains("/metrics")).expect("it says where");
    let (_, metrics) = answer(address.split("/metrics").next().expect("an address"), "/metrics", "");
    assert!(metrics.contains("countersign_throttled_total{budget=\"login_account\"} 3\n"), "{metrics}");
    assert!(metrics.contains("countersign_throttled_total{budget=\"login_global\"} 0\n"), "{metrics}");
}

#[test]
fn a_proxy_that_is_not_named_is_told_once_and_one_that_is_named_tells_clients_apart() {
    let forwarded = |server: &Server, client: &str| {
        let headers = format!("Content-Type: application/json\r\nX-Forwarded-For: {client}\r\n");
        let body = json!({"username": client, "password": "a guess"}).to_string();
        server.anon().exchange("POST", "login", &headers, &body).expect("an answer").0
    };
    let here = Installation::new().with("THROTTLE_LOGIN_ADDRESS", "2/hour");
    let server = here.serve();
    for client in ["192.0.2.1", "192.0.2.1", "198.51.100.1"] {
        assert_eq!(forwarded(&server, client), 401, "this machine's own address bounds nothing");
    }
    until(|| here.log().contains("TRUSTED_PROXIES is not set"));
    assert_eq!(here.log().matches("TRUSTED_PROXIES is not set").count(), 1);

    let here = Installation::new()
        .with("THROTTLE_LOGIN_ADDRESS", "2/hour")
        .with("TRUSTED_PROXIES", "127.0.0.1, ::1");
    let server = here.serve();
    let statuses = ["192.0.2.1", "192.0.2.1", "198.51.100.1"].map(|client| forwarded(&server, client));
    assert_eq!(statuses, [401, 429, 401]);
    assert!(!here.log().contains("TRUSTED_PROXIES"));
}

#[test]
fn the_cookie_is_for_encrypted_connections_unless_debug_is_on() {
    for (debug, is_secure) in [("False", true), ("True", false)] {
        let here = Installation::new().with("DEBUG", debug);
        let server = here.serve();
        assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
        let body = json!({"username": "ada", "password": PASSWORD}).to_string();
        let head = server.anon().head_of_answer("login", &body);
        let cookie = head
            .lines()
            .find(|line| line.starts_with("set-cookie: ") && line.contains("countersign_device_"))
            .expect("a cookie");
        assert!(
            cookie.contains("; HttpOnly") && cookie.contains("; Path=/user/api/login/; Max-Age=15552000")
        );
        assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
        assert_eq!(cookie.contains(": __Secure-"), is_secure, "{cookie}");
    }
}
