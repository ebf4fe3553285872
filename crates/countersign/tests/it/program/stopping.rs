//! The end: asked for, when requests in flight are answered; and sudden, when nothing that was answered is lost.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use serde_json::json;

use super::{Client, Installation, PASSWORD, read_answer, token, until};

impl Client {
    /// Sends the head of a login and waits until the server asks for its body: then it is in flight.
    fn begin_login(&self, body: &str) -> TcpStream {
        let headers = "Content-Type: application/json\r\nExpect: 100-continue\r\n";
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.write_all(self.head("POST", "login", headers, body.len()).as_bytes()).expect("it reads");
        let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut go_on).expect("it asks for the body");
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }
}

fn a_login_in_flight_is_finished_at(signal: &str) {
    let here = Installation::new();
    let server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    let body = json!({"username": "ada", "password": PASSWORD}).to_string();
    let mut login = anon.begin_login(&body);
    server.signal(signal);
    until(|| TcpStream::connect(&anon.address).is_err()); // the signal has arrived, nobody new is let in
    login.write_all(body.as_bytes()).expect("it still reads");
    let (status, tokens) = read_answer(login).expect("an answer");
    assert_eq!(status, 200, "{tokens}");
    let (said, succeeded) = server.wait();
    assert_eq!((said.as_str(), succeeded), ("stopped\n", true));

    let refresh = json!({"refresh": token(&tokens, "refresh")});
    assert_eq!(here.serve().anon().post("token/refresh", &refresh).0, 200, "its session is on disk");
}

#[test]
fn ctrl_c_finishes_the_login_in_flight() {
    a_login_in_flight_is_finished_at("INT");
}

#[test]
fn sigterm_finishes_the_login_in_flight() {
    a_login_in_flight_is_finished_at("TERM");
}

#[test]
fn two_signals_at_once_are_one_wish_and_a_later_one_cuts_off() {
    let here = Installation::new();
    let mut server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    let body = json!({"username": "ada", "password": PASSWORD}).to_string();
    let (mut login, held) = (anon.begin_login(&body), anon.begin_login(&body));
    let pid = server.child.id();
    server.signal(&format!("TERM {pid}; kill -INT {pid}; kill -TERM")); // by one shell, so that nothing comes between
    until(|| TcpStream::connect(&anon.address).is_err());
    login.write_all(body.as_bytes()).expect("it still reads");
    assert_eq!(read_answer(login).expect("an answer").0, 200);
    assert!(server.child.try_wait().expect("it can be asked").is_none(), "another is in flight");
    server.insist();
    drop(held);
    assert_eq!(server.wait().0, "stopped at once; requests in flight were cut off\n");
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let here = Installation::new();
    let server = here.serve();
    let mut idle = TcpStream::connect(&server.address).expect("it listens");
    let head = server.anon().head("GET", "me", "", 0).replace("Connection: close\r\n", "");
    idle.write_all(head.as_bytes()).expect("it reads");
    let mut first = [0; 12];
    idle.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 401");
    server.signal("TERM");
    assert!(server.wait().1);
    assert!(!here.log().contains("cut off"), "{}", here.log());
}

#[test]
fn after_kill_9_every_user_whose_registration_was_answered_exists() {
    const ANSWERS_BEFORE_THE_KILL: usize = 60;
    let cheap = [("ARGON2_MEMORY_KIB", "64"), ("ARGON2_ITERATIONS", "1")];
    let here = cheap.into_iter().fold(Installation::new(), |here, (name, value)| here.with(name, value));
    let server = here.serve();
    let (answered, answers) = mpsc::channel();
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (anon, answered) = (server.anon(), answered.clone());
            std::thread::spawn(move || {
                for number in 0.. {
                    let name = format!("user-{caller}-{number}");
                    let body = json!({"username": name, "password": PASSWORD});
                    let Some((status, body)) = anon.try_post("register", &body) else { return };
                    assert_eq!(status, 201, "{body}");
                    answered.send(name).expect("the test listens");
                }
            })
        })
        .collect();
    drop(answered);
    let mut names: BTreeSet<String> = answers.iter().take(ANSWERS_BEFORE_THE_KILL).collect();
    server.signal("KILL");
    names.extend(answers);
    for caller in callers {
        caller.join().expect("every answer was a 201");
    }
    assert!(!server.wait().1);

    let again = here.serve();
    let listed = here.say_json(&["user", "list", "--limit", "100000"]);
    let users = listed.as_array().expect("a list").iter();
    let present: BTreeSet<String> =
        users.map(|user| user["username"].as_str().expect("a name").to_owned()).collect();
    assert!(names.len() >= ANSWERS_BEFORE_THE_KILL);
    assert_eq!(names.difference(&present).collect::<Vec<_>>(), [""; 0], "answered with 201, and lost");
    assert!(present.len() <= names.len() + 8, "at most one registration of each caller was not answered");
    let last = names.last().expect("a name");
    assert_eq!(again.anon().login(last, PASSWORD).0, 200);
    assert_eq!(here.say(&["check"]), "No issues.\n");
}
