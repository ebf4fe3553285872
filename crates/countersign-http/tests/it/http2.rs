//! HTTP/2 without TLS, by prior knowledge: as a client has it (the crate h2), and as frames for what no client does.

use std::time::Duration;

use bytes::Bytes;
use countersign_http::{Limits, Manners};
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::actors::{LOGIN, ME, VERIFY, World};
use crate::serve::Server;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection of a client that keeps to the rules.
struct Client {
    requests: SendRequest<Bytes>,
    running: JoinSet<Result<(), h2::Error>>,
}

impl Client {
    async fn of(server: &Server) -> Self {
        Self::with(server, &mut h2::client::Builder::new()).await
    }

    async fn with(server: &Server, builder: &mut h2::client::Builder) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap(); // where tokio's clock is paused, the kernel's is not
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        let mut running = JoinSet::new();
        running.spawn(connection);
        Self { requests, running }
    }

    async fn ask(&mut self, request: Request<()>) -> Result<Response<RecvStream>, h2::Error> {
        self.requests.clone().ready().await?.send_request(request, true)?.0.await
    }

    async fn status(&mut self, request: Request<()>) -> StatusCode {
        self.ask(request).await.unwrap().status()
    }

    /// Waits until the server has closed the connection.
    async fn is_let_go(&mut self) -> Result<(), h2::Error> {
        self.running.join_next().await.unwrap().unwrap()
    }
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://auth.example{path}")).body(()).unwrap()
}

fn text_of((name, value): (&HeaderName, &HeaderValue)) -> (String, String) {
    (name.to_string(), value.to_str().unwrap().to_owned())
}

/// In order, without the date and the request's id. That there is no body is said by the end of the stream in HTTP/2.
fn shown(headers: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let varies = |(name, value): &(String, String)| {
        ["date", "x-request-id"].contains(&name.as_str()) || (name == "content-length" && value == "0")
    };
    let mut shown: Vec<_> = headers.filter(|header| !varies(header)).collect();
    shown.sort();
    shown
}

async fn text(mut body: RecvStream) -> String {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn an_answer_is_the_one_that_http_1_1_has() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = Client::of(&server).await;
    for path in [ME, "/nowhere/", "/user/api/me", "/openapi.json", "/healthz"] {
        let answer = client.ask(get(path)).await.unwrap();
        let old = server.client().await.get(path).await.is(answer.status().as_u16());
        assert_eq!(shown(answer.headers().iter().map(text_of)), shown(old.headers.iter().cloned()));
        assert_eq!(text(answer.into_body()).await, old.body);
    }
}

#[tokio::test]
async fn a_body_arrives_and_is_no_longer_than_it_may_be() {
    let world = World::new();
    world.user("ada").await;
    let server = Server::start(&world).await;
    let mut client = Client::of(&server).await;
    let post = |path| {
        let request = Request::post(format!("http://auth.example{path}"));
        request.header("content-type", "application/json").body(()).unwrap()
    };
    let login = format!(r#"{{"username":"ada","password":"{}"}}"#, crate::actors::PASSWORD);
    let (answer, mut body) = client.requests.send_request(post(LOGIN), false).unwrap();
    body.send_data(login.into(), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    let (answer, mut body) = client.requests.send_request(post(VERIFY), false).unwrap();
    body.send_data(vec![b' '; 3_000_000].into(), true).unwrap(); // as much as the windows allow
    assert_eq!(answer.await.unwrap().status(), 400);
    assert_eq!(client.status(get(ME)).await, 401);
}

#[tokio::test]
async fn the_host_is_the_authority_and_must_be_allowed() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = Client::of(&server).await;
    let to = |host: &str| Request::get(format!("http://{host}{ME}"));
    assert_eq!(client.status(to("elsewhere.example").body(()).unwrap()).await, 400);
    assert_eq!(client.status(to("auth.example:8000").body(()).unwrap()).await, 401);
    for host in ["elsewhere.example", "auth.example:80"] {
        let two = to("auth.example").header("host", host).body(()).unwrap();
        assert_eq!(client.status(two).await, 400);
    }
    let allowed_by_header_alone = to("elsewhere.example").header("host", "auth.example").body(()).unwrap();
    assert_eq!(client.status(allowed_by_header_alone).await, 400);
}

#[tokio::test]
async fn heads_and_streams_are_bounded() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = Client::of(&server).await;
    assert_eq!(client.status(get(ME)).await, 401);
    assert_eq!(client.requests.current_max_send_streams(), 100);
    let lines = |name: &str, count: usize, length: usize| {
        let mut request = Request::get(format!("http://auth.example{ME}"));
        for _ in 0..count {
            request = request.header(name, "x".repeat(length));
        }
        request.body(()).unwrap()
    };
    let with = |count, length| lines("x-any", count, length);
    assert_eq!(client.status(with(99, 500)).await, 401);
    assert_eq!(client.status(with(101, 5)).await, 431);
    assert_eq!(client.status(with(1, 9_000)).await, 431);
    assert_eq!(client.status(with(10, 8_000)).await, 431);
    assert_eq!(client.status(lines("cookie", 900, 5)).await, 401, "they are one line, parted");
    assert_eq!(client.status(lines("cookie", 500, 131)).await, 431);
    assert_eq!(client.status(get(&format!("/{}", "x".repeat(5_000)))).await, 414);
    assert_eq!(client.status(get(ME)).await, 401);
}

#[tokio::test]
async fn a_request_for_which_there_is_no_place_is_asked_to_come_back_and_a_probe_is_answered() {
    let world = World::new();
    let limits = Limits { connections: 1, ..Limits::default() }; // which the connection itself takes
    let server = Server::start_with(&world, Manners { limits, ..Manners::default() }).await;
    let mut client = Client::of(&server).await;
    assert_eq!(client.status(get(ME)).await, 401, "one at a time has the connection's own");
    let post = Request::post(format!("http://auth.example{VERIFY}"));
    let post = post.header("content-type", "application/json").body(()).unwrap();
    let (_waits, _body) = client.requests.send_request(post, false).unwrap();
    let answer = client.ask(get(ME)).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(client.status(get("/healthz")).await, 200);
}

#[tokio::test]
async fn requests_in_flight_are_finished_after_stop_and_connections_without_one_do_not_hold_it_up() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut idle = Client::of(&server).await;
    assert_eq!(idle.status(get(ME)).await, 401);
    let mut client = Client::of(&server).await;
    let post = Request::post(format!("http://auth.example{VERIFY}"));
    let post = post.header("content-type", "application/json").body(()).unwrap();
    let (answer, mut body) = client.requests.send_request(post, false).unwrap();
    assert_eq!(client.status(get(ME)).await, 401); // by now the other one is being served
    let stopped = server.stop();
    idle.is_let_go().await.unwrap();
    body.send_data(r#"{"token":"x"}"#.into(), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 401);
    client.is_let_go().await.unwrap();
    stopped.await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_requests_is_let_go_after_a_while_and_one_that_is_used_is_not() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = Client::of(&server).await;
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(client.status(get(ME)).await, 401);
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    client.is_let_go().await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 9 * 20 + 30);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_takes_its_answers_is_cut_off() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut client = Client::with(&server, h2::client::Builder::new().initial_window_size(0)).await;
    let begun = Instant::now();
    let answer = client.ask(get(ME)).await.unwrap(); // its head; for its body there is no window
    assert_eq!(answer.status(), 401);
    let _ = client.is_let_go().await;
    assert_eq!(begun.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stays_in_flight_ends_its_connection_whatever_is_asked_beside_it() {
    let world = World::new();
    let limits = Limits { stalled: Duration::from_secs(50), ..Limits::default() };
    let server = Server::start_with(&world, Manners { limits, ..Manners::default() }).await;
    let mut client = Client::with(&server, h2::client::Builder::new().initial_window_size(0)).await;
    let begun = Instant::now();
    let held = client.ask(get(ME)).await.unwrap(); // its head; for its body there is no window
    let mut asked = 0;
    let probe = || Request::head("http://auth.example/healthz").body(()).unwrap();
    while asked < 20 && client.ask(probe()).await.is_ok() {
        asked += 1;
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    assert_eq!(held.status(), 401);
    assert_eq!((asked, begun.elapsed().as_secs()), (13, 52), "it was cut off after 50, between two of these");
}

/// A connection on which a test writes its own frames. The first request is on stream 1.
struct Raw {
    stream: TcpStream,
    next: u32,
}

impl Raw {
    async fn of(server: &Server) -> Self {
        let mut raw = Self { stream: TcpStream::connect(server.address).await.unwrap(), next: 1 };
        raw.stream.set_nodelay(true).unwrap();
        raw.stream.write_all(PREFACE).await.unwrap();
        raw.send(&frame(SETTINGS, 0, 0, &[])).await;
        raw
    }

    /// Fails silently if the server has gone: then nothing is to be read either.
    async fn send(&mut self, frames: &[u8]) {
        let _ = self.stream.write_all(frames).await;
    }

    /// The frames of a request for `/` whose body does not come, so that it is not answered.
    fn request(&mut self, flags: u8) -> (u32, Vec<u8>) {
        let head = [
            &[0x83, 0x86, 0x44][..], // POST, http, and a path
            &[u8::try_from(VERIFY.len()).unwrap()],
            VERIFY.as_bytes(),
            &[0x41, 12],
            b"auth.example",
            &[0x5f, 16], // content-type
            b"application/json",
        ];
        let id = self.next;
        self.next += 2;
        (id, frame(HEADERS, END_HEADERS | flags, id, &head.concat()))
    }

    /// The next frame: its type, flags and content; none if the server has gone.
    async fn receive(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, ..] = head;
        let mut content = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut content).await.ok()?;
        Some((kind, flags, content))
    }

    /// Whether the server is still there, and has seen all that was sent.
    async fn is_heard(&mut self) -> bool {
        self.send(&frame(PING, 0, 0, b"anybody?")).await;
        while let Some((kind, flags, content)) = self.receive().await {
            if kind == PING && flags == ACK && content == b"anybody?" {
                return true;
            }
        }
        false
    }

    /// Why the server goes away, once it does.
    async fn reason(&mut self) -> Option<Reason> {
        while let Some((kind, _, content)) = self.receive().await {
            if let (GO_AWAY, Some(reason)) = (kind, content.get(4..8)) {
                return Some(u32::from_be_bytes(reason.try_into().unwrap()).into());
            }
        }
        None
    }
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

fn taken_back(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

#[tokio::test]
async fn requests_taken_back_before_they_are_looked_at_end_the_connection() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut rapid = Raw::of(&server).await;
    let mut burst = Vec::new();
    for _ in 0..200 {
        let (id, request) = rapid.request(END_STREAM);
        burst.extend([request, taken_back(id)].concat());
    }
    rapid.send(&burst).await;
    assert_eq!(rapid.reason().await, Some(Reason::ENHANCE_YOUR_CALM));
    assert_eq!(Client::of(&server).await.status(get(ME)).await, 401);
}

#[tokio::test]
async fn requests_taken_back_one_by_one_end_the_connection_too() {
    let world = World::new();
    let server = Server::start(&world).await;
    let mut rapid = Raw::of(&server).await;
    let mut rounds = 0;
    while rounds < 1_000 && rapid.is_heard().await {
        let (id, request) = rapid.request(0);
        rapid.send(&request).await;
        rapid.is_heard().await;
        rapid.send(&taken_back(id)).await;
        rounds += 1;
    }
    // What is sent while the server goes away counts too.
    assert!((101..=103).contains(&rounds), "{rounds}");
    assert_eq!(Client::of(&server).await.status(get(ME)).await, 401);
}

/// A server with few places.
async fn with_places(world: &World, connections: usize) -> Server {
    let limits = Limits { connections, ..Limits::default() };
    Server::start_with(world, Manners { limits, ..Manners::default() }).await
}

#[tokio::test]
async fn a_request_beside_others_has_an_idle_connection_give_way() {
    let world = World::new();
    let server = with_places(&world, 3).await;
    let mut idle = [server.client().await, server.client().await];
    for client in &mut idle {
        client.get(ME).await.is(401);
    }
    let mut client = Client::of(&server).await;
    let post = Request::post(format!("http://auth.example{VERIFY}"));
    let post = post.header("content-type", "application/json").body(()).unwrap();
    let (_waits, _body) = client.requests.send_request(post, false).unwrap();
    assert_eq!(client.status(get(ME)).await, 401);
}

#[tokio::test]
async fn requests_whose_bodies_do_not_come_or_whose_answers_are_not_taken_give_way_one_by_one() {
    let world = World::new();
    let server = with_places(&world, 8).await;
    let mut bodiless = Client::of(&server).await;
    let mut untaken = Client::with(&server, h2::client::Builder::new().initial_window_size(0)).await;
    let (mut posts, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let post = Request::post(format!("http://auth.example{VERIFY}"));
        let post = post.header("content-type", "application/json").body(()).unwrap();
        posts.push(bodiless.requests.send_request(post, false).unwrap());
        answers.push(untaken.ask(get(ME)).await.unwrap()); // its head; for its body there is no window
    }
    tokio::time::sleep(Duration::from_millis(20)).await; // who has waited longer is told by milliseconds
    assert_eq!(bodiless.status(get(ME)).await, 401, "its connection is used");
    answers.push(untaken.ask(get(ME)).await.unwrap());
    let mut others = Vec::new();
    for _ in 0..5 {
        let mut other = server.client().await;
        other.get(ME).await.is(401);
        others.push(other);
    }
    assert_eq!(bodiless.status(get(ME)).await, 401);
    let mut posts = posts.into_iter();
    let (answer, mut body) = posts.next().unwrap();
    body.send_data(r#"{"token":"x"}"#.into(), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 401, "the one that has the connection's own place");
    for (answer, _body) in posts {
        assert_eq!(answer.await.unwrap_err().reason(), Some(Reason::CANCEL));
    }
}

#[tokio::test]
async fn requests_that_give_way_to_others_do_not_count_as_taken_back() {
    let world = World::new();
    let limits = Limits { connections: 5, taken_back: 0, ..Limits::default() };
    let server = Server::start_with(&world, Manners { limits, ..Manners::default() }).await;
    let mut bodiless = Client::of(&server).await;
    let mut posts = Vec::new();
    for _ in 0..4 {
        let post = Request::post(format!("http://auth.example{VERIFY}"));
        let post = post.header("content-type", "application/json").body(()).unwrap();
        posts.push(bodiless.requests.send_request(post, false).unwrap());
    }
    tokio::time::sleep(Duration::from_millis(20)).await; // who has waited longer is told by milliseconds
    assert_eq!(bodiless.status(get(ME)).await, 401, "its connection is used");
    let mut others = Vec::new();
    for _ in 0..4 {
        let mut other = server.client().await;
        other.get(ME).await.is(401);
        others.push(other);
    }
    let mut posts = posts.into_iter();
    let (answer, mut body) = posts.next().unwrap();
    for (answer, _body) in posts {
        assert_eq!(answer.await.unwrap_err().reason(), Some(Reason::CANCEL), "it gave way");
    }
    body.send_data(r#"{"token":"x"}"#.into(), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 401, "the connection goes on");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_say_that_it_is_there_is_let_go() {
    let world = World::new();
    let limits = Limits { idle: Duration::from_secs(3_600), ..Limits::default() };
    let server = Server::start_with(&world, Manners { limits, ..Manners::default() }).await;
    let mut mute = Raw::of(&server).await;
    mute.is_heard().await;
    let begun = Instant::now();
    while mute.receive().await.is_some() {}
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_preface_that_does_not_go_on_is_given_up() {
    let world = World::new();
    let server = Server::start(&world).await;
    for said in [&PREFACE[..10], PREFACE] {
        let begun = Instant::now();
        let mut slow = server.client().await;
        slow.send(said).await;
        let mut answer = Vec::new();
        let _ = slow.stream.read_to_end(&mut answer).await;
        assert_eq!(begun.elapsed().as_secs(), 30, "{said:?}");
    }
}
