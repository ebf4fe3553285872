//! Connections that a proxy passes on with a header of the PROXY protocol, on real sockets.

use std::time::Duration;

use countersign_http::{ForwardedHeader, Limits, Manners, TrustedProxies};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::actors::{LOGIN, ME, PASSWORD, SESSIONS, World};
use crate::serve::{Client, Server};

const FIRST: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n";
const SECOND: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x34\0\x50";
const NOBODY: &[u8] = b"PROXY UNKNOWN\r\n";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const UNSPECIFIED: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0";

/// A world in which these proxies are trusted, and have to say who has connected to them.
fn behind(proxies: &[&str]) -> World {
    let networks = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
    let trusted = TrustedProxies::new(networks, ForwardedHeader::default()).that_announce(true);
    World::set(|settings| settings.trusted_proxies = trusted)
}

/// Whence Ada has logged in on this connection, as her sessions show it.
async fn address(client: &mut Client, forwarded: &str) -> Value {
    let body = json!({ "username": "ada", "password": PASSWORD }).to_string();
    let head = |method: &str, path: &str, more: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: auth.example\r\n{forwarded}{more}\r\n")
    };
    let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let pair = client.send(head("POST", LOGIN, &length) + &body).await.receive().await.is(200);
    let pair: Value = serde_json::from_str(&pair.body).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", pair["access"].as_str().unwrap());
    let sessions = client.send(head("GET", SESSIONS, &bearer)).await.receive().await.is(200);
    let sessions: Value = serde_json::from_str(&sessions.body).unwrap();
    let of_this = sessions.as_array().unwrap().iter().find(|session| session["current"] == true);
    of_this.unwrap()["address"].clone()
}

#[tokio::test]
async fn a_connection_is_that_of_whom_the_proxy_names_and_its_headers_are_a_clients() {
    let world = behind(&["127.0.0.1"]);
    world.anon().register("ada", PASSWORD).await.is(201);
    let server = Server::start(&world).await;
    for header in [FIRST, SECOND] {
        for forwarded in ["", "X-Forwarded-For: 198.51.100.9\r\n"] {
            let mut client = server.client().await;
            assert_eq!(address(client.send(header).await, forwarded).await, "192.0.2.7");
            assert_eq!(address(&mut client, forwarded).await, "192.0.2.7", "all that comes on it");
        }
    }
}

#[tokio::test]
async fn of_a_connection_whose_client_is_not_named_no_header_is_believed() {
    for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
        let trusted = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()], header).that_announce(true);
        let world = World::set(|settings| settings.trusted_proxies = trusted);
        world.anon().register("ada", PASSWORD).await.is(201);
        let server = Server::start(&world).await;
        for beginning in [NOBODY, LOCAL, UNSPECIFIED] {
            for forwarded in ["", "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=198.51.100.9\r\n"] {
                let mut client = server.client().await;
                assert_eq!(
                    address(client.send(beginning).await, forwarded).await,
                    "127.0.0.1",
                    "the proxy's"
                );
            }
            let mut client = server.client().await;
            client.send(beginning).await;
            let request = format!("GET {ME} HTTP/1.1\r\nHost: auth.example\r\nX-Request-Id: of-mine\r\n\r\n");
            let answer = client.send(request).await.receive().await.is(401);
            assert_ne!(answer.header("x-request-id"), Some("of-mine"));
        }
    }
}

#[tokio::test]
async fn where_one_proxy_is_before_another_its_header_of_the_request_counts() {
    let world = behind(&["127.0.0.1", "192.0.2.7"]);
    world.anon().register("ada", PASSWORD).await.is(201);
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    let forwarded = "X-Forwarded-For: 198.51.100.9\r\n";
    assert_eq!(address(client.send(FIRST).await, forwarded).await, "198.51.100.9");
}

#[tokio::test]
async fn a_header_arrives_in_pieces_and_nothing_after_it_is_taken_along() {
    let world = behind(&["127.0.0.1"]);
    let server = Server::start(&world).await;
    let request = format!("GET {ME} HTTP/1.1\r\nHost: auth.example\r\n\r\n");
    for header in [FIRST, SECOND, NOBODY] {
        for at in [1, 5, header.len() - 1] {
            let (one, other) = header.split_at(at);
            let mut client = server.client().await;
            client.stream.set_nodelay(true).unwrap();
            client.send(one).await;
            tokio::task::yield_now().await;
            client.send(&[other, request.as_bytes()].concat()).await.receive().await.is(401);
            client.get(ME).await.is(401);
        }
    }
}

#[tokio::test]
async fn http_2_by_prior_knowledge_comes_after_the_header_too() {
    let world = behind(&["127.0.0.1"]);
    let server = Server::start(&world).await;
    let mut client = server.client().await;
    client.send(SECOND).await;
    let (mut requests, connection) = h2::client::handshake(client.stream).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(connection);
    let request = http::Request::get(format!("http://auth.example{ME}")).body(()).unwrap();
    assert_eq!(requests.send_request(request, true).unwrap().0.await.unwrap().status(), 401);
}

/// What the server says to who begins like this, until it lets go.
async fn said(server: &Server, beginning: &[u8]) -> String {
    let mut client = server.client().await;
    client.send(beginning).await;
    let mut said = Vec::new();
    let _ = client.stream.read_to_end(&mut said).await; // it may be reset
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn a_trusted_proxy_that_says_nothing_or_nonsense_or_too_much_is_refused() {
    let world = behind(&["127.0.0.1"]);
    let server = Server::start(&world).await;
    let request = format!("GET {ME} HTTP/1.1\r\nHost: auth.example\r\nConnection: close\r\n\r\n");
    let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 8192]].concat();
    let too_long = [&SECOND[..14], &[0xff, 0xff], &[0; 8192]].concat();
    for beginning in [request.as_bytes(), b"\x16\x03\x01\x02\0\x01\0\x01", &endless, &too_long] {
        assert_eq!(said(&server, beginning).await, "", "{:?}", &beginning[..8]);
    }
    let twice = [FIRST, FIRST, request.as_bytes()].concat();
    assert!(said(&server, &twice).await.starts_with("HTTP/1.1 400 "), "a client says no second one");
    assert!(said(&server, &[FIRST, request.as_bytes()].concat()).await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn whoever_is_no_trusted_proxy_is_believed_nothing_and_served_without() {
    let world = behind(&["192.0.2.0/24"]);
    let server = Server::start(&world).await;
    server.client().await.get(ME).await.is(401);
    let request = format!("GET {ME} HTTP/1.1\r\nHost: auth.example\r\nConnection: close\r\n\r\n");
    for header in [FIRST, SECOND] {
        let refused = said(&server, &[header, request.as_bytes()].concat()).await;
        assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 400 "), "{refused}");
    }
    let without = World::slowing_down(countersign_auth::Throttles::default(), &["127.0.0.1"]);
    let server = Server::start(&without).await;
    server.client().await.get(ME).await.is(401);
    let refused = said(&server, &[FIRST, request.as_bytes()].concat()).await;
    assert!(refused.starts_with("HTTP/1.1 400 "), "it is off: {refused}");
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_come_to_its_end_is_waited_for_five_seconds() {
    let world = behind(&["127.0.0.1"]);
    let server = Server::start(&world).await;
    for beginning in [&b""[..], &FIRST[..20], &SECOND[..20]] {
        let begun = Instant::now();
        assert_eq!(said(&server, beginning).await, "");
        assert_eq!(begun.elapsed().as_secs(), 5, "{beginning:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_have_not_said_whom_they_pass_on_keep_nobody_out_and_neither_does_one_client_behind() {
    let world = behind(&["127.0.0.1"]);
    let limits = Limits { connections: 4, ..Limits::default() };
    let server = Server::start_with(&world, Manners { limits, ..Manners::default() }).await;
    let begun = Instant::now();
    let mut flood = Vec::new();
    for beginning in [&b""[..], &FIRST[..20], &SECOND[..1], NOBODY] {
        let mut client = server.client().await;
        client.send(beginning).await;
        flood.push(client);
    }
    let mut honest = server.client().await;
    honest.send(b"PROXY TCP4 198.51.100.9 10.0.0.1 4660 80\r\n").await.get(ME).await.is(401);
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut client = server.client().await;
        client.send(FIRST).await.get(ME).await.is(401);
        flood.push(client);
    }
    honest.get(ME).await.is(401); // of the network that holds most one gives way, though this one has waited longer
    assert!(begun.elapsed().as_secs() < 5, "nobody's time is over");
}
