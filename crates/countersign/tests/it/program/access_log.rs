//! The line of each request.

use serde_json::{Value, json};

use super::{Installation, PASSWORD, Server};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What was logged, each line as JSON; the server has ended, so that all of it is there.
fn lines(here: &Installation, server: Server) -> Vec<Value> {
    server.signal("TERM");
    server.wait();
    here.log().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn is_of_a_request(line: &Value) -> bool {
    line.get("target").is_some_and(|target| target == "countersign::access")
}

/// The value at `place` of a line, `null` if there is none.
fn at<'a>(line: &'a Value, place: &str) -> &'a Value {
    line.pointer(place).unwrap_or(&Value::Null)
}

#[test]
fn each_request_has_a_line_with_its_route_outcome_duration_and_user_and_others_name_it() {
    let here = Installation::new().with("ACCESS_LOG", "on");
    let server = here.serve();
    let anon = server.anon();
    anon.register("ada", PASSWORD);
    let ada = anon.tokens("ada", PASSWORD);
    assert_eq!(anon.login("ada", "wrong horse battery").0, 401);
    let headers = format!(
        "Authorization: Bearer {}\r\nX-Request-Id: from-a-proxy\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n",
        ada.access
    );
    anon.exchange("GET", "me", &headers, "").expect("an answer");
    assert_eq!(anon.refresh(&ada), 200);
    let (_, sliding) = anon.post("login/sliding", &json!({"username": "ada", "password": PASSWORD}));
    let sliding = json!({"token": super::token(&sliding, "token")});
    assert_eq!(anon.post("token/refresh/sliding", &sliding).0, 200);
    assert_eq!(anon.post("token/verify", &json!({"token": ada.access})).0, 200);
    assert_eq!(anon.post("token/blacklist", &json!({"refresh": ada.refresh})).0, 200);
    anon.exchange("BREW", "me", "", "").expect("an answer");
    assert_eq!(anon.exchange("GET", "sessions/abc", "", "").expect("an answer").0, 401);
    assert_eq!(anon.exchange("GET", "a-path-of-mine", "", ""), None, "a page");

    let lines = lines(&here, server);
    let told = |line: &Value| {
        let field = |name: &str| at(line, &format!("/fields/{name}")).clone();
        json!([field("route"), field("method"), field("status"), field("error.code"), field("user.id")])
    };
    let requests: Vec<&Value> = lines.iter().filter(|line| is_of_a_request(line)).collect();
    assert_eq!(
        requests.iter().map(|line| told(line)).collect::<Vec<_>>(),
        [
            json!(["/user/api/register/", "POST", 201, null, "1"]),
            json!(["/user/api/login/", "POST", 200, null, "1"]),
            json!(["/user/api/login/", "POST", 401, "no_active_account", null]),
            json!(["/user/api/me/", "GET", 200, null, "1"]),
            json!(["/user/api/token/refresh/", "POST", 200, null, "1"]),
            json!(["/user/api/login/sliding/", "POST", 200, null, "1"]),
            json!(["/user/api/token/refresh/sliding/", "POST", 200, null, "1"]),
            json!(["/user/api/token/verify/", "POST", 200, null, "1"]),
            json!(["/user/api/token/blacklist/", "POST", 200, null, "1"]),
            json!(["/user/api/me/", "other", 401, "not_authenticated", null]),
            json!(["/user/api/sessions/{id}/", "GET", 401, "not_authenticated", null]),
            json!(["none", "GET", 404, "not_found", null]),
        ]
    );
    for line in &requests {
        assert!(at(line, "/fields/duration_ms").as_f64().is_some_and(|duration| duration > 0.0), "{line}");
        assert!(at(line, "/span/request.id").as_str().is_some_and(|id| !id.is_empty()), "{line}");
    }
    assert_eq!(at(requests[3], "/span/request.id"), "from-a-proxy");
    assert_eq!(at(requests[3], "/span/trace.id"), TRACE);
    let logged_in = lines.iter().find(|line| at(line, "/fields/message") == "logged in").expect("it is told");
    assert_eq!(at(logged_in, "/span/request.id"), at(requests[1], "/span/request.id"));
    assert!(!here.log().contains("a-path-of-mine") && !here.log().contains("BREW"), "{}", here.log());
}

#[test]
fn lines_of_requests_are_off_unless_asked_for_and_probes_have_none() {
    let here = Installation::new().with("ACCESS_LOG", "on");
    let server = here.serve();
    assert!(super::metrics::answer(&server.address, "/healthz", "").0.starts_with("HTTP/1.1 200"));
    assert_eq!(lines(&here, server).iter().filter(|line| is_of_a_request(line)).count(), 0);

    let here = Installation::new();
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let lines = lines(&here, server);
    assert_eq!(lines.iter().filter(|line| is_of_a_request(line)).count(), 0);
    assert!(lines.iter().any(|line| at(line, "/fields/message") == "account made"));
}

#[test]
fn the_form_of_the_log_can_be_forced() {
    let here = Installation::new().with("LOG_FORMAT", "pretty").with("ACCESS_LOG", "on");
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    server.signal("TERM");
    server.wait();
    let log = here.log();
    assert!(log.contains("answered"), "{log}");
    assert!(serde_json::from_str::<Value>(log.lines().next().expect("a line")).is_err(), "{log}");
    let refusal = Installation::new().with("LOG_FORMAT", "xml").refusal(&["serve"]);
    assert_eq!(refusal, "LOG_FORMAT: must be auto, or json, or pretty (it stands in the environment)");
}

#[test]
fn every_answer_says_what_its_request_is_called() {
    let here = Installation::new();
    let server = here.serve();
    let ask =
        |headers: &str| super::metrics::answer(&server.address, "/user/api/me/", headers).0.to_lowercase();
    assert!(ask("X-Request-Id: Mine-1\r\n").contains("\r\nx-request-id: mine-1"));
    for head in [ask("X-Request-Id: not sane\r\n"), ask("")] {
        assert!(head.contains("\r\nx-request-id: ") && !head.contains("not sane"), "{head}");
    }
}
