//! Bodies far larger than a form needs to be: few are held at once, and what nobody asked for in them is forgotten.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use countersign_password::Preferred;
use http::{Method, Request};
use hyper::body::{Body, Frame};
use serde_json::json;
use tokio::time::Instant;

use crate::actors::{Answer, Draft, LOGIN, VERIFY, World};

const MAX_BODY_BYTES: usize = 2_621_440;
const MIB: usize = 1024 * 1024;

/// A body whose client sends one piece and no more.
struct Unfinished(Option<Bytes>);

impl Unfinished {
    fn of(length: usize) -> Self {
        Self(Some(Bytes::from(vec![b' '; length])))
    }
}

impl Body for Unfinished {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
    }
}

async fn send_unfinished(world: &World, length: usize) -> Answer {
    let head =
        Request::post(VERIFY).header("host", "auth.example").header("content-type", "application/json");
    let request = head.body(Unfinished::of(length)).unwrap();
    Answer::checked(VERIFY, &Method::POST, world.service.answer(request, None).await).await
}

fn large_body() -> Draft {
    Draft::post(VERIFY).json(&json!({"token": "x", "pad": "p".repeat(100_000)}))
}

#[tokio::test(start_paused = true)]
async fn many_large_bodies_at_once_are_refused_and_small_ones_never_wait_for_them() {
    let world = World::new();
    let begun = Instant::now();
    let mut unfinished = Vec::new();
    for length in [100_000; 8].into_iter().chain([60_000; 50]) {
        let mut sending = Box::pin(send_unfinished(&world, length));
        assert!(sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        unfinished.push(sending);
    }
    world.send(Draft::post(VERIFY).json(&json!({"token": "x"}))).await.is(401);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let refused = world.send(large_body()).await.is(503);
    assert_eq!(refused.detail(), "Service temporarily unavailable, try again later.");
    assert_eq!(begun.elapsed().as_secs(), 1);
    let mut waiting = Box::pin(world.send(large_body()));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(unfinished.remove(0)); // one who hangs up makes room
    waiting.await.is(401);
    world.send(large_body()).await.is(401);
    assert_eq!(begun.elapsed().as_secs(), 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn logins_that_wait_for_the_hashing_do_not_hold_what_else_came_with_them() {
    let resident_bytes = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let world = World::hashing_with(Preferred::DJANGO_PBKDF2);
    let start = r#"{"username":"ada","password":"y","z":["#;
    let nested = "[0],".repeat((MAX_BODY_BYTES - start.len()) / 4 - 1);
    let login = Draft::post(LOGIN).header("content-type", "application/json");
    let login = login.body(format!("{start}{nested}0]}}"));
    let before = resident_bytes();
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let mut sending = Box::pin(world.send(login.clone()));
        assert!(sending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        waiting.push(sending);
    }
    // One such document takes some 180 MiB while it is read; the other tests take their share.
    let grown = resident_bytes().saturating_sub(before) / MIB;
    assert!(grown < 500, "{grown} MiB more");
}
