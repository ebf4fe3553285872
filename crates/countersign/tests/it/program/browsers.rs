//! What settings let pages in browsers do, as far as the wire shows it without one (`conformance/browsers` has one).

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::{Client, Installation, PASSWORD};

const APP: &str = "https://app.example.com";

impl Client {
    /// The head of an answer.
    fn answered(&self, method: &str, endpoint: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = self.head(method, endpoint, headers, body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        answer.split_once("\r\n\r\n").expect("a head").0.to_owned()
    }

    fn preflight(&self, origin: &str) -> String {
        let asked = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
        self.answered("OPTIONS", "login", &asked, "")
    }
}

#[test]
fn an_origin_that_is_allowed_gets_the_defaults_of_django_cors_headers_and_no_other_gets_anything() {
    let here = Installation::new()
        .with("CORS_ALLOWED_ORIGINS", format!("{APP}, http://localhost:3000"))
        .with("CORS_ALLOWED_ORIGIN_REGEXES", r#"["^https://[a-z]{1,9}\\.app\\.example\\.com$"]"#);
    let server = here.serve();
    let anon = server.anon();
    for origin in [APP, "http://localhost:3000", "https://beta.app.example.com"] {
        let head = anon.preflight(origin);
        for line in [
            format!("access-control-allow-origin: {origin}"),
            "access-control-allow-headers: accept, authorization, content-type, user-agent, x-csrftoken, \
             x-requested-with"
                .to_owned(),
            "access-control-allow-methods: DELETE, GET, OPTIONS, PATCH, POST, PUT".to_owned(),
            "access-control-max-age: 86400".to_owned(),
            "vary: origin".to_owned(),
        ] {
            assert!(head.contains(&format!("\r\n{line}")), "{line}: {head}");
        }
        assert!(!head.contains("allow-credentials") && !head.contains("expose-headers"), "{head}");
    }
    for origin in ["https://evil.example", "https://beta.app.example.com.evil.example"] {
        assert!(!anon.preflight(origin).contains("access-control"), "{origin}");
    }
}

#[test]
fn cookies_last_as_long_as_their_tokens_and_whoever_is_no_browser_gets_none() {
    let lifetimes = [("ACCESS_TOKEN_LIFETIME", "90s"), ("REFRESH_TOKEN_LIFETIME", "2h")];
    let here = Installation::new().with("TOKEN_COOKIES", "on").with("CORS_ALLOWED_ORIGINS", APP);
    let here = lifetimes.into_iter().fold(here, |here, (name, value)| here.with(name, value));
    let server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    let login = json!({"username": "ada", "password": PASSWORD}).to_string();
    let json = "Content-Type: application/json\r\n";
    for from in ["Sec-Fetch-Site: same-origin\r\n".to_owned(), format!("Origin: {APP}\r\n")] {
        let head = anon.answered("POST", "login", &format!("{json}{from}"), &login);
        for (name, seconds) in [("__Host-access_token", 90), ("__Secure-refresh_token", 7200)] {
            let line = head.lines().find(|line| line.starts_with(&format!("set-cookie: {name}=")));
            let line = line.unwrap_or_else(|| panic!("{name}: {head}"));
            assert!(
                line.contains(&format!("; Max-Age={seconds}; Path=/")) && line.contains("; HttpOnly"),
                "{line}"
            );
        }
    }
    let refused = anon.exchange("POST", "login", &format!("{json}Origin: https://evil.example\r\n"), &login);
    let (status, body) = refused.expect("an answer");
    assert_eq!(status, 403, "{body}");
    let answered = anon.answered("POST", "login", json, &login);
    assert!(!answered.contains("_token=") && !answered.contains("csrftoken="), "{answered}");
    assert_eq!(anon.me(&anon.tokens("ada", PASSWORD)).0, 200);
}

#[test]
fn cookies_without_sessions_are_refused_at_the_start() {
    let here = Installation::new().with("TOKEN_COOKIES", "on").with("SESSION_CLAIM", "");
    let refusal = here.refusal(&["check"]);
    assert!(refusal.starts_with("TOKEN_COOKIES: ") && refusal.contains("SESSION_CLAIM"), "{refusal}");
}
