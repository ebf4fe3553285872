//! The probes of a running server: under load, while it ends, and when something is wrong; and what SIGHUP reads anew.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::{Client, Installation, PASSWORD, Server, until};

impl Client {
    /// Status and body of a request as a load balancer sends it; 0 when nobody listens.
    pub(super) fn probe(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: 10.9.8.7\r\nConnection: close\r\n\r\n"))
    }

    fn ask(&self, request: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return (0, String::new()) };
        let mut answer = String::new();
        let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        let Some((head, body)) = asked.ok().and_then(|_| answer.split_once("\r\n\r\n")) else {
            return (0, String::new());
        };
        (head.split(' ').nth(1).expect("a status").parse().expect("a number"), body.to_owned())
    }

    /// What `/readyz` says, and of what.
    pub(super) fn readiness(&self) -> (u16, Value) {
        let (status, body) = self.probe("/readyz");
        (status, serde_json::from_str(&body).unwrap_or_default())
    }
}

#[test]
fn a_server_is_ready_once_it_greets() {
    let here = Installation::new();
    let server = here.serve();
    assert_eq!(server.anon().probe("/healthz"), (200, r#"{"status":"ok"}"#.to_owned()));
    let (status, ready) = server.anon().readiness();
    assert_eq!(
        (status, &ready["status"], &ready["checks"]["database"]),
        (200, &"ready".into(), &"ok".into())
    );
}

#[test]
fn a_disk_that_is_too_full_and_a_database_that_is_lost_are_told_and_clear_up() {
    let here = Installation::new().with("MIN_FREE_DISK_MIB", "4294967295");
    let server = here.serve();
    let (status, body) = server.anon().readiness();
    assert_eq!(status, 503);
    assert!(body["checks"]["disk"].as_str().expect("a text").contains("MIN_FREE_DISK_MIB"), "{body}");
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201, "it is for others to keep away");
    let told = "MiB left, and MIN_FREE_DISK_MIB asks for 4294967295: make room, or lower it";
    until(|| here.log().contains(told));
    assert!(here.log().contains("the disk of sqlite:countersign.sqlite3"), "{}", here.log());

    let here = Installation::new();
    let server = here.serve();
    let (path, away) = (here.path().join("countersign.sqlite3"), here.path().join("away"));
    std::fs::rename(&path, &away).expect("it is ours");
    until(|| server.anon().readiness().0 == 503);
    assert_eq!(server.anon().probe("/healthz").0, 200);
    let (_, body) = server.anon().readiness();
    assert_eq!(body["checks"]["migrations"], "unknown");
    assert!(!body.to_string().contains("countersign.sqlite3"), "nothing of ours is in it: {body}");
    until(|| here.log().contains("not ready: database: "));
    std::fs::rename(&away, &path).expect("it is ours");
    until(|| server.anon().readiness().0 == 200);
    until(|| here.log().contains("ready again")); // it is said after it is so
}

impl Server {
    /// Lets none of its files grow beyond so many bytes, as a full disk does.
    fn limit_files(&self, bytes: &str) {
        let limit = format!("--fsize={bytes}:");
        let done = Command::new("prlimit").args([&limit, "--pid", &self.child.id().to_string()]).status();
        assert!(done.expect("util-linux is installed").success());
    }
}

#[test]
fn a_database_that_cannot_grow_is_not_ready_until_it_can_again_and_loses_nothing() {
    let here = Installation::new();
    let mut command = Command::new("sh");
    // Whoever ignores the signal is told by an error instead.
    let script = "trap '' XFSZ && exec \"$0\" --addr 127.0.0.1:0";
    command.args(["-c", script, env!("CARGO_BIN_EXE_countersign")]);
    let server = here.greeted(command);
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    // The write-ahead log, and room enough for what the server has to say.
    let log = std::fs::metadata(here.path().join("countersign.sqlite3-wal")).expect("it is there");
    server.limit_files(&log.len().to_string());
    for _ in 0..3 {
        let (status, body) = anon.register("bob", PASSWORD);
        assert_eq!(
            (status, &body["detail"]),
            (503, &"Service temporarily unavailable, try again later.".into())
        );
    }
    until(|| anon.readiness().0 == 503);
    let looks = || here.log().matches("a group of writes was not committed").count();
    let before = looks();
    until(|| looks() > before + 2); // it is tried anew each second
    let (status, body) = anon.readiness();
    assert_eq!(
        (status, &body["checks"]["database"]),
        (503, &"nothing can be written; the log says why".into())
    );
    assert!(!here.log().contains("ready again"), "{}", here.log());
    server.limit_files("unlimited");
    until(|| anon.readiness().0 == 200);
    assert_eq!(anon.register("bob", PASSWORD).0, 201);
    assert_eq!(anon.login("ada", PASSWORD).0, 200);
    here.say(&["check"]); // what was written is whole
}

#[test]
fn keys_that_can_be_used_no_more_are_told() {
    let here = Installation::new().with("SIGNING_KEYS_DIR", ".");
    let server = here.serve();
    std::fs::write(here.path().join("a.signing.pem"), "this is no key").expect("it is ours");
    until(|| server.anon().readiness().0 == 503);
    let (_, body) = server.anon().readiness();
    assert!(body["checks"]["keys"].as_str().expect("a text").contains("cannot be used"), "{body}");
    std::fs::remove_file(here.path().join("a.signing.pem")).expect("it is ours");
    until(|| server.anon().readiness().0 == 200);
}

impl Installation {
    /// A server that may have so many files open.
    fn serve_with_files(&self, count: usize) -> Server {
        let script = format!("ulimit -n {count} && exec \"$0\" --addr 127.0.0.1:0");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_countersign")]);
        self.greeted(command)
    }
}

#[test]
fn with_every_place_taken_probes_are_answered_and_others_asked_to_come_back() {
    // 192 descriptors are for other things, which leaves eight places, all of them for logins that take long.
    let here = Installation::new().with("ARGON2_ITERATIONS", "60");
    let server = here.serve_with_files(200);
    let anon = server.anon();
    let body = serde_json::json!({"username": "nobody", "password": PASSWORD}).to_string();
    let login = anon.head("POST", "login", "Content-Type: application/json\r\n", body.len()) + &body;
    let begin_login = |_| {
        let mut stream = TcpStream::connect(&anon.address).expect("a place");
        stream.write_all(login.as_bytes()).expect("it reads");
        stream
    };
    let mut held: Vec<_> = (0..8).map(begin_login).collect();
    let me = "GET /user/api/me/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    until(|| {
        let is_full = anon.ask(me).0 == 503;
        if !is_full {
            held.push(begin_login(0)); // one that was not read yet has given way to us
        }
        is_full
    });
    for path in ["/healthz", "/readyz"] {
        assert_eq!(anon.probe(path).0, 200, "{path}");
    }
    assert_eq!(anon.ask("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").0, 405);
    drop(held);
    until(|| anon.ask(me).0 == 401);
    server.signal("KILL"); // nobody has to wait for the rest
}

#[test]
fn clients_that_ask_for_nothing_give_way_to_one_that_does() {
    let here = Installation::new();
    let server = here.serve_with_files(200);
    let anon = server.anon();
    let _held: Vec<_> = (0..60).map(|_| TcpStream::connect(&anon.address).expect("it listens")).collect();
    let ask = || anon.ask("GET /user/api/me/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").0;
    until(|| ask() == 401); // whoever gives way has a moment for it
    for _ in 0..10 {
        assert_eq!(ask(), 401);
    }
}

#[test]
fn probes_are_answered_while_logins_wait_for_their_turn() {
    const LOGINS: usize = 24;
    let here = Installation::new().with("ARGON2_ITERATIONS", "40");
    let server = here.serve();
    let finished = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..LOGINS {
            scope.spawn(|| {
                let body = serde_json::json!({"username": "nobody", "password": PASSWORD});
                server.anon().try_post("login", &body);
                finished.fetch_add(1, Ordering::SeqCst);
            });
        }
        until(|| finished.load(Ordering::SeqCst) > 0);
        for path in ["/healthz", "/readyz"] {
            assert_eq!(server.anon().probe(path).0, 200, "{path}");
        }
        assert!(finished.load(Ordering::SeqCst) < LOGINS, "they were faster");
        server.signal("KILL"); // nobody has to wait for the rest
    });
}

#[test]
fn before_the_end_readiness_is_taken_back_and_requests_are_still_answered_each_the_last_of_its_connection() {
    let here = Installation::new().with("DRAIN_DELAY", "1h");
    let mut server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    let mut kept = TcpStream::connect(&server.address).expect("it listens");
    let asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    kept.write_all(asked).expect("it reads");
    let mut first = [0; 1024];
    let length = kept.read(&mut first).expect("it answers");
    assert!(!String::from_utf8_lossy(&first[..length]).contains("connection: close"));
    server.signal("TERM");
    until(|| anon.readiness().0 == 503);
    assert_eq!(anon.readiness().1["status"], "draining");
    assert_eq!(anon.probe("/healthz").0, 200);
    assert_eq!(anon.login("ada", PASSWORD).0, 200);
    kept.write_all(asked).expect("it reads");
    let mut last = String::new();
    kept.read_to_string(&mut last).expect("it closes");
    assert!(last.starts_with("HTTP/1.1 200 OK\r\n") && last.contains("connection: close\r\n"), "{last}");
    server.insist();
    assert!(server.wait().0.contains("stopped at once"));
}

#[test]
fn who_does_not_finish_in_time_is_cut_off() {
    let here = Installation::new().with("DRAIN_TIMEOUT", "1s");
    let server = here.serve();
    let mut slow = TcpStream::connect(&server.address).expect("it listens");
    let head = "POST /user/api/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Expect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("it reads");
    slow.read_exact(&mut [0; 25]).expect("it asks for the body");
    server.signal("TERM");
    assert!(server.wait().1);
    assert!(here.log().contains("requests were cut off after 1 s"), "{}", here.log());
}

#[test]
fn sighup_reads_the_log_level_anew_and_refuses_what_is_wrong() {
    let here = Installation::new().with_file(".env", "LOG=warn\n");
    let server = here.serve();
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    assert!(!here.log().contains("account made"), "{}", here.log());
    here.write(".env", "LOG=info\n");
    server.signal("HUP");
    until(|| here.log().contains("are read anew"));
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    until(|| here.log().contains("logged in"));
    here.write(".env", "LGO=debug\n");
    server.signal("HUP");
    until(|| here.log().contains("did you mean LOG?"));
    here.write(".env", "LOG=info,=[\n");
    server.signal("HUP");
    until(|| here.log().contains("use off, error, warn, info, debug or trace"));
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200, "it goes on");
}

#[test]
fn sighup_says_when_the_keys_cannot_be_used() {
    let here = Installation::new().with("SIGNING_KEYS_DIR", ".");
    let server = here.serve();
    here.write("broken.signing.pem", "not a key\n");
    server.signal("HUP");
    until(|| here.log().contains("what was read anew cannot be used"));
    assert!(!here.log().contains("are read anew;"), "{}", here.log());
    std::fs::remove_file(here.path().join("broken.signing.pem")).expect("it is ours");
    server.signal("HUP");
    until(|| here.log().contains("are read anew;"));
}

impl Installation {
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("the directory is writable");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn many_who_connect_at_once_are_let_in_without_asking_again() {
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("it is Linux");
    if most.trim().parse::<u32>().expect("a number") < 1024 {
        return eprintln!("SKIPPED: net.core.somaxconn is {most}, and no more may wait");
    }
    let here = Installation::new();
    let server = here.serve();
    let address = server.anon().address.parse().expect("an address");
    server.signal("STOP"); // it accepts nobody meanwhile
    let mut connected = Vec::new();
    for number in 0..500 {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10));
        connected.push(stream.unwrap_or_else(|error| panic!("{number} are let in: {error}")));
    }
    server.signal("CONT");
}
