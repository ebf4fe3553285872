//! The server on a real socket. Where a deadline matters tokio's clock is paused: it then jumps to the next deadline
//! as soon as nobody has anything left to do, so that nobody waits.

mod hanging_up;
mod uniform;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_http::Manners;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::actors::{LOGIN, LOGOUT, ME, PASSWORD, VERIFY, World};

const DEADLINE: Duration = Duration::from_secs(10);
const UNKNOWN_TOKEN: &str = r#"{"token":"x"}"#;

/// A server that runs until it is stopped.
pub struct Server {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinSet<()>,
}

impl Server {
    pub async fn start(world: &World) -> Self {
        Self::start_with(world, Manners::default()).await
    }

    pub async fn start_with(world: &World, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let service = Arc::clone(&world.service);
        let mut running = JoinSet::new();
        let manners = Manners { deadline: DEADLINE, ..manners };
        running.spawn(countersign_http::serve(
            listener,
            service,
            async move { drop(stopped.await) },
            manners,
        ));
        Self { address, stop, running }
    }

    pub async fn client(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), received: Vec::new() }
    }

    /// Asks the server to stop; the future is ready when it has.
    pub fn stop(self) -> impl Future<Output = ()> {
        let Self { stop, mut running, .. } = self;
        stop.send(()).unwrap();
        async move { running.join_next().await.unwrap().unwrap() }
    }
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    received: Vec<u8>,
}

/// An answer as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    status_line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self
    }

    pub async fn get(&mut self, path: &str) -> Received {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: auth.example\r\n\r\n")).await.receive().await
    }

    /// Sends a POST of JSON, in one piece.
    pub async fn post(&mut self, path: &str, body: &str) -> &mut Self {
        let length = body.len();
        self.send(post(path, &format!("Content-Length: {length}")) + body).await
    }

    pub async fn receive(&mut self) -> Received {
        self.receive_head().await.with_body(self, true).await
    }

    /// An answer to HEAD.
    async fn receive_without_body(&mut self) -> Received {
        self.receive_head().await.with_body(self, false).await
    }

    async fn receive_head(&mut self) -> Received {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            assert!(self.read_some().await, "closed before an answer: {:?}", self.received);
        };
        let head: Vec<u8> = self.received.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap().to_owned();
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Received { status_line, headers: lines.filter_map(header).collect(), body: String::new() }
    }

    async fn read_some(&mut self) -> bool {
        self.stream.read_buf(&mut self.received).await.unwrap() > 0
    }

    /// Whether the server has closed the connection, with nothing left to read.
    pub async fn is_let_go(&mut self) -> bool {
        !self.read_some().await && self.received.is_empty()
    }
}

impl Received {
    async fn with_body(mut self, client: &mut Client, has_body: bool) -> Self {
        let length: usize =
            self.header("content-length").expect("every answer has a length").parse().unwrap();
        while has_body && client.received.len() < length {
            assert!(client.read_some().await, "closed within {self:?}");
        }
        if has_body {
            self.body = String::from_utf8(client.received.drain(..length).collect()).unwrap();
        }
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status_line.split(' ').nth(1), Some(status.to_string().as_str()), "{self:?}");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub fn post(path: &str, framing: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: auth.example\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    )
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    for _ in 0..3 {
        client.get(ME).await.is(401);
        client.get("/nowhere/").await.is(404);
        client.post(VERIFY, UNKNOWN_TOKEN).await.receive().await.is(401);
        client.post(VERIFY, "{").await.receive().await.is(400);
    }
    client.send("GET /nowhere/ HTTP/1.1\r\nHost: auth.example\r\nConnection: close\r\n\r\n").await;
    client.receive().await.is(404);
    assert!(client.is_let_go().await);
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let world = World::new();
    world.user("ada").await;
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    let login = json!({"username": "ada", "password": PASSWORD}).to_string();
    let slow_first = post(LOGIN, &format!("Content-Length: {}", login.len())) + &login;
    let then = post(VERIFY, &format!("Content-Length: {}", UNKNOWN_TOKEN.len())) + UNKNOWN_TOKEN;
    let last = "GET /nowhere/ HTTP/1.1\r\nHost: auth.example\r\n\r\n";
    client.send([slow_first.as_str(), &then, last].concat()).await;
    assert!(client.receive().await.is(200).json()["access"].is_string());
    client.receive().await.is(401);
    client.receive().await.is(404);
}

#[tokio::test]
async fn a_body_may_come_in_chunks() {
    let world = World::new();
    world.user("ada").await;
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    let login = json!({"username": "ada", "password": PASSWORD}).to_string();
    client.send(post(LOGIN, "Transfer-Encoding: chunked")).await;
    for byte in login.bytes() {
        client.send(format!("1\r\n{}\r\n", char::from(byte))).await;
    }
    client.send("0\r\n\r\n").await.receive().await.is(200);
    client.send(post(LOGIN, "Transfer-Encoding: chunked") + "0\r\n\r\n").await;
    let required = json!(["This field is required."]);
    assert_eq!(client.receive().await.is(400).json(), json!({"username": required, "password": required}));
}

#[tokio::test]
async fn a_body_with_two_lengths_is_the_last_of_its_connection() {
    let world = World::new();
    let server = Server::start(&world).await;
    for lengths in
        ["Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked"]
    {
        let mut client = server.client().await;
        client.send(post(VERIFY, lengths) + "0\r\n\r\n" + &post(VERIFY, "Content-Length: 0")).await;
        client.receive().await.is(400);
        let mut rest = String::new();
        client.stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "", "a proxy may have seen another end of it");
    }
}

#[tokio::test]
async fn chunks_of_nothing_are_no_body_and_need_no_type() {
    let world = World::new();
    let server = Server::start(&world).await;
    let chunked =
        |path| format!("POST {path} HTTP/1.1\r\nHost: auth.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut client = server.client().await;
    let answer = client.send(chunked(VERIFY) + "0\r\n\r\n").await.receive().await.is(400);
    assert_eq!(answer.json(), json!({"token": ["This field is required."]}));
    client.send(chunked(VERIFY) + "1\r\nx\r\n").await.receive().await.is(415);
}

#[tokio::test]
async fn a_body_that_a_logout_does_not_need_comes_late_and_is_not_in_the_way_of_the_next_request() {
    let world = World::new();
    let ada = world.user("ada").await;
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    let head = format!(
        "POST {LOGOUT} HTTP/1.1\r\nHost: auth.example\r\nAuthorization: Bearer {}\r\nContent-Length: 2\r\n\r\n",
        ada.access
    );
    client.send(head).await;
    tokio::task::yield_now().await;
    client.send("{}").await.receive().await.is(200);
    client.get(ME).await.is(401);
}

#[tokio::test]
async fn the_answer_to_head_is_that_to_get_without_its_body() {
    let world = World::new();
    let ada = world.user("ada").await;
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    for path in [ME, "/nowhere/"] {
        let request = |method| {
            format!(
                "{method} {path} HTTP/1.1\r\nHost: auth.example\r\nAuthorization: Bearer {}\r\n\r\n",
                ada.access
            )
        };
        let get = client.send(request("GET")).await.receive().await;
        let head = client.send(request("HEAD")).await.receive_without_body().await;
        let is_of_all = |name: &str| name != "date" && name != "x-request-id";
        let of_all = |answer: &Received| {
            answer.headers.iter().filter(|(name, _)| is_of_all(name)).cloned().collect::<Vec<_>>()
        };
        assert_eq!((&head.status_line, of_all(&head)), (&get.status_line, of_all(&get)));
        assert!(!get.body.is_empty());
        client.get(ME).await.is(401); // nothing of a body is in the way of the next answer
    }
}

#[tokio::test]
async fn an_old_client_and_one_behind_a_proxy_are_answered() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut old = server.client().await;
    let answer =
        old.send(format!("GET {ME} HTTP/1.0\r\nHost: auth.example\r\n\r\n")).await.receive().await.is(401);
    assert!(answer.status_line.starts_with("HTTP/1.0"), "{answer:?}");
    assert!(old.is_let_go().await);
    let mut proxied = server.client().await;
    let absolute = format!("GET http://elsewhere.example{ME} HTTP/1.1\r\nHost: auth.example\r\n\r\n");
    proxied.send(absolute).await.receive().await.is(401);
    for target in ["*", "auth.example:80"] {
        let mut odd = server.client().await;
        let method = if target == "*" { "OPTIONS" } else { "CONNECT" };
        odd.send(format!("{method} {target} HTTP/1.1\r\nHost: auth.example\r\n\r\n"))
            .await
            .receive()
            .await
            .is(404);
    }
    server.client().await.send(format!("GET {ME} HTTP/1.1\r\n\r\n")).await.receive().await.is(400);
}

#[tokio::test]
async fn garbage_is_refused_and_the_next_client_is_served() {
    let world = World::new();
    let server = Server::start(&world).await;
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n", // a TLS greeting
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: auth.example\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: auth.example\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: auth.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: auth.example\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: auth.example\r\nX: \0\r\n\r\n",
    ] {
        let mut client = server.client().await;
        client.send(garbage).await.receive().await.is(400);
        assert!(client.is_let_go().await, "{garbage:?}");
        server.client().await.get(ME).await.is(401);
    }
    for (huge, status) in [
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)), 414),
        (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(70_000)), 431),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200)), 431),
    ] {
        server.client().await.send(huge).await.receive().await.is(status);
        server.client().await.get(ME).await.is(401);
    }
}

#[tokio::test]
async fn a_client_that_sends_too_much_before_it_listens_can_read_why_it_was_refused() {
    let world = World::new();
    let server = Server::start(&world).await;
    let body = "x".repeat(12_000_000);
    let framing = format!("Content-Length: {}", body.len());
    for (head, status) in [
        (post(LOGIN, &framing), 400),
        (post("/nowhere/", &framing), 404),
        (post(ME, &framing), 401),
        (post(LOGIN, &framing).replacen("POST", "PUT", 1), 405),
        (post(LOGIN, &framing).replace("application/json", "text/plain"), 415),
        (post(LOGIN, &format!("Accept: image/png\r\n{framing}")), 406),
    ] {
        let mut client = server.client().await;
        client.send(head + &body).await.receive().await.is(status);
        assert!(client.is_let_go().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_sends_on_and_on_is_cut_off() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    let begun = Instant::now();
    client.send(post("/nowhere/", "Content-Length: 10000000") + &"x".repeat(1_000_000)).await;
    client.receive().await.is(404);
    server.stop().await; // which waits for it like for any request
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_refused_client_that_sends_much_and_fast_is_cut_off_before() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    let megabyte = "x".repeat(1_000_000);
    client.send(post("/nowhere/", "Content-Length: 10000000000") + &megabyte).await;
    client.receive().await.is(404);
    let mut megabytes = 1;
    while client.stream.write_all(megabyte.as_bytes()).await.is_ok() {
        megabytes += 1;
        assert!(megabytes < 100, "all of it is read");
    }
    assert!(megabytes >= 16, "it is heard out for a while");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_head_is_let_go() {
    let world = World::new();
    let server = Server::start(&world).await;
    let begun = Instant::now();
    let mut slow = server.client().await;
    slow.send("GET / HTTP/1.1\r\nHost: auth").await;
    assert!(slow.is_let_go().await);
    assert_eq!(begun.elapsed().as_secs(), 30);
    let mut silent = server.client().await;
    assert!(silent.is_let_go().await);
    let mut idle = server.client().await;
    idle.get(ME).await.is(401);
    assert!(idle.is_let_go().await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_body_is_told_so() {
    let world = World::new();
    let server = Server::start(&world).await;
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let begun = Instant::now();
        let mut slow = server.client().await;
        slow.send(post(VERIFY, framing) + "3\r\n").await.receive().await.is(400);
        assert!(slow.is_let_go().await);
        assert_eq!(begun.elapsed().as_secs(), 30);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_on_and_on_and_never_listens_is_cut_off() {
    let world = World::new();
    let server = Server::start(&world).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap(); // so that it is soon full
    let mut deaf = socket.connect(server.address).await.unwrap();
    let begun = Instant::now();
    let requests = "GET /nowhere/ HTTP/1.1\r\nHost: auth.example\r\n\r\n".repeat(100);
    while timeout(Duration::from_secs(60), deaf.write_all(requests.as_bytes())).await.unwrap().is_ok() {}
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_harms_nobody() {
    let world = World::new();
    let server = Server::start(&world).await;
    for begun in ["GET / HT".to_owned(), post(LOGIN, "Content-Length: 10") + "{"] {
        let mut client = server.client().await;
        client.send(begun).await;
    }
    let mut patient = server.client().await;
    patient.post(VERIFY, UNKNOWN_TOKEN).await.receive().await.is(401);
    server.stop().await;
}

#[tokio::test]
async fn a_request_in_flight_is_finished_after_stop_and_nobody_else_is_let_in() {
    let world = World::new();
    let server = Server::start(&world).await;
    let address = server.address;
    let mut client = server.client().await;
    let framing = format!("Content-Length: {}\r\nExpect: 100-continue", UNKNOWN_TOKEN.len());
    client.send(post(VERIFY, &framing)).await;
    assert_eq!(client.receive_head().await.status_line, "HTTP/1.1 100 Continue"); // it is being served
    let stopped = server.stop();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await; // until the server has heard of it
    }
    client.send(UNKNOWN_TOKEN).await;
    let answer = client.receive().await.is(401);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_let_go().await);
    stopped.await;
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn connections_without_a_request_do_not_hold_up_the_stop() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut kept_alive = server.client().await;
    kept_alive.get(ME).await.is(401);
    let mut silent = server.client().await;
    server.client().await.get(ME).await.is(401); // by now the silent one has been accepted
    let begun = Instant::now();
    server.stop().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(kept_alive.is_let_go().await && silent.is_let_go().await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_finishes_holds_up_the_stop_for_ten_seconds_only() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut slow = server.client().await;
    slow.send(post(VERIFY, "Content-Length: 10\r\nExpect: 100-continue")).await.receive_head().await;
    let begun = Instant::now();
    server.stop().await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert!(slow.is_let_go().await);
}
