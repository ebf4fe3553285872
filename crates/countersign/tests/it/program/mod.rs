//! The program as its operator meets it: started in an empty directory with a clean environment, asked things on the
//! command line and over HTTP, stopped and killed.

mod access_log;
mod adopt;
mod audit;
mod browsers;
mod check;
mod commands;
mod demo;
mod deployment;
mod first_run;
mod health;
mod http2_client;
mod init;
mod keys;
mod messages;
mod metrics;
mod moving;
mod outages;
mod packaging;
mod passwords;
mod refusals;
mod secrecy;
mod sources;
mod stopping;
mod systemd;
mod throttle;
mod tls;
mod toml_file;
mod traces;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery";

/// A directory with a database of its own, and the environment of whatever runs there.
struct Installation {
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What a finished command printed and how it ended.
struct Finished {
    success: bool,
    stdout: String,
    stderr: String,
}

impl Installation {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory"), environment: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn with_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).expect("the directory is writable");
        self
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).env_clear().envs(self.environment.clone()).current_dir(self.path());
        command
    }

    /// Runs a subcommand to its end, `stdin` being what it can read.
    fn run_with_stdin(&self, arguments: &[&str], stdin: &str) -> Finished {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        // A command that refuses before it reads closes the pipe.
        let _ = child.stdin.take().expect("stdin is piped").write_all(stdin.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().expect("the command ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Finished { success: status.success(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with_stdin(arguments, "")
    }

    /// What a command that succeeds prints.
    fn say(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(finished.success, "{arguments:?}: {}", finished.stderr);
        finished.stdout
    }

    fn say_json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.say(&[arguments, &["--json"]].concat())).expect("one JSON value")
    }

    /// The one sentence with which a command refuses.
    fn refusal(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(!finished.success, "{arguments:?} succeeded: {}", finished.stdout);
        assert_eq!(finished.stdout, "", "{arguments:?}");
        let sentence = finished.stderr.strip_prefix("countersign: ").and_then(|text| text.strip_suffix('\n'));
        let sentence = sentence.unwrap_or_else(|| panic!("{arguments:?}: {:?}", finished.stderr)).to_owned();
        assert!(!sentence.contains('\n'), "one line: {sentence}");
        assert!(says_what_to_do(&sentence), "and then? {sentence}");
        sentence
    }

    fn serve(&self) -> Server {
        self.serve_with(&["--addr", "127.0.0.1:0"])
    }

    /// Starts the server and reads its greeting to the end.
    fn serve_with(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null());
        self.greeted(command)
    }

    /// Starts a server, whoever is to do that, in this directory and environment.
    fn greeted(&self, mut command: Command) -> Server {
        let log = File::options().create(true).append(true).open(self.path().join("server.log"));
        command.env_clear().envs(self.environment.clone()).current_dir(self.path());
        command.stdout(Stdio::piped()).stderr(log.expect("a log file"));
        let mut child = command.spawn().expect("the binary runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C") {
            let length = stdout.read_line(&mut greeting).expect("UTF-8");
            assert!(length > 0, "it did not start: {greeting}{}", self.log());
        }
        let address = greeting.split("://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.expect("the greeting names an address").to_owned();
        Server { child, stdout, greeting, address }
    }

    /// What servers here have logged so far.
    fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("server.log")).unwrap_or_default()
    }
}

/// Whether a part of a refusal tells the operator to do something, or what it has to be.
fn says_what_to_do(sentence: &str) -> bool {
    const VERBS: &str = "add be change choose correct delete did drop flush give grant have leave let look lower \
                         make name please put raise remove rename replace report restart restore retire run see set \
                         shorten start stop take try type unpack use wait write";
    let parts = sentence.split([';', ':', ',', '.', '(', '`']).flat_map(|part| part.split(" or "));
    let first_words = parts.filter_map(|part| part.split_whitespace().next());
    let is_told =
        first_words.map(str::to_lowercase).any(|word| VERBS.split_whitespace().any(|verb| verb == word));
    is_told
        || ["must", "has to", "have to", "needs", "`countersign "].iter().any(|word| sentence.contains(word))
}

/// A running server, killed when it is dropped.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    greeting: String,
    address: String,
}

impl Server {
    fn anon(&self) -> Client {
        Client { address: self.address.clone() }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    }

    /// Tells it to stop until it does: one that was told before takes it for another wish after a while only.
    fn insist(&mut self) {
        until(|| {
            self.signal("TERM"); // a child that has ended is still there to be told
            self.child.try_wait().expect("it can be asked").is_some()
        });
    }

    /// Waits for the end: the rest of what it said, and whether it exited with 0.
    fn wait(mut self) -> (String, bool) {
        let mut rest = String::new();
        until(|| self.child.try_wait().expect("it can be asked").is_some());
        self.stdout.read_to_string(&mut rest).expect("UTF-8");
        (rest, self.child.wait().expect("it ends").success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again. Only a program that hangs is asked for as long as a minute.
fn until(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "it hangs");
        std::thread::yield_now();
    }
}

/// Somebody with an HTTP client.
#[derive(Clone)]
struct Client {
    address: String,
}

/// What a user holds after a login.
struct Tokens {
    refresh: String,
    access: String,
}

impl Client {
    fn register(&self, username: &str, password: &str) -> (u16, Value) {
        let email = format!("{username}@example.com");
        self.post("register", &json!({"username": username, "email": email, "password": password}))
    }

    fn login(&self, username: &str, password: &str) -> (u16, Value) {
        self.post("login", &json!({"username": username, "password": password}))
    }

    fn tokens(&self, username: &str, password: &str) -> Tokens {
        let (status, body) = self.login(username, password);
        assert_eq!(status, 200, "{body}");
        Tokens { refresh: token(&body, "refresh"), access: token(&body, "access") }
    }

    fn refresh(&self, tokens: &Tokens) -> u16 {
        self.post("token/refresh", &json!({"refresh": tokens.refresh})).0
    }

    fn me(&self, tokens: &Tokens) -> (u16, Value) {
        let bearer = format!("Authorization: Bearer {}\r\n", tokens.access);
        self.exchange("GET", "me", &bearer, "").expect("an answer")
    }

    fn post(&self, endpoint: &str, body: &Value) -> (u16, Value) {
        self.try_post(endpoint, body).expect("an answer")
    }

    fn try_post(&self, endpoint: &str, body: &Value) -> Option<(u16, Value)> {
        self.exchange("POST", endpoint, "Content-Type: application/json\r\n", &body.to_string())
    }

    /// `None` when the server went away.
    fn exchange(&self, method: &str, endpoint: &str, headers: &str, body: &str) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let head = self.head(method, endpoint, headers, body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
        read_answer(stream)
    }

    /// The head of the answer.
    fn head_of_answer(&self, endpoint: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = self.head("POST", endpoint, "Content-Type: application/json\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        answer.split("\r\n\r\n").next().unwrap_or_default().to_owned()
    }

    fn head(&self, method: &str, endpoint: &str, headers: &str, length: usize) -> String {
        let host = &self.address;
        format!(
            "{method} /user/api/{endpoint}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n"
        )
    }
}

/// The token of this name in an answer.
fn token(body: &Value, name: &str) -> String {
    body.get(name).and_then(Value::as_str).expect("a token").to_owned()
}

fn read_answer(mut stream: impl Read) -> Option<(u16, Value)> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    assert!(
        status != 503 || head.to_lowercase().contains("\r\nretry-after: 2\r\n"),
        "when to come again: {head}"
    );
    Some((status, serde_json::from_str(body).ok()?))
}
