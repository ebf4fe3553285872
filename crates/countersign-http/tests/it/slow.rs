//! Clients that take their time, many at once, on real sockets; tokio's clock is paused, so that nobody waits for them.

use std::time::Duration;

use countersign_http::{Limits, Manners};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::actors::{ME, VERIFY, World};
use crate::serve::{Server, post};

const SLOW: usize = 200;

/// Many clients that have sent this much of a request, and send on, a byte a second, for as long as they are let.
async fn trickle(server: &Server, beginning: &str) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for _ in 0..SLOW {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        running.spawn(async move {
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    running
}

/// With few places, whoever asks at once is answered at once, again and again.
async fn keeps_nobody_out(beginning: &str) {
    let world = World::new();
    let limits = Limits { connections: 16, ..Limits::default() };
    let server = Server::start_with(&world, Manners { limits, ..Manners::default() }).await;
    let slow = trickle(&server, beginning).await;
    let begun = Instant::now();
    for _ in 0..10 {
        server.client().await.get(ME).await.is(401);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(begun.elapsed().as_secs(), 5, "long before anybody's time is over");
    drop(slow);
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_heads_that_trickle_in_keep_nobody_out() {
    keeps_nobody_out("GET / HTTP/1.1\r\nHost: auth.example\r\nX-Slow: ").await;
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_bodies_that_trickle_in_keep_nobody_out() {
    keeps_nobody_out(&post(VERIFY, "Content-Length: 60000")).await;
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_clients_that_say_nothing_more_keep_nobody_out() {
    keeps_nobody_out("").await;
}

#[tokio::test(start_paused = true)]
async fn a_head_or_body_that_trickles_in_has_no_more_time_than_any_other() {
    let world = World::new();
    let server = Server::start(&world).await;
    for beginning in ["GET / HTTP/1.1\r\nX-Slow: ", &post(VERIFY, "Content-Length: 60000")] {
        let mut slow = server.client().await;
        slow.send(beginning).await;
        let begun = Instant::now();
        while slow.stream.write_all(b"x").await.is_ok() && begun.elapsed().as_secs() < 120 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let secs = begun.elapsed().as_secs();
        assert!((30..=37).contains(&secs), "{secs} s"); // and five to hear it out
    }
}
