//! Work that panics: its request alone fails, and is told of like any other.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tracing::Level;

use crate::actors::{Draft, LOGIN, ME, World};
use crate::log::Log;

/// A body over which whoever reads it panics.
struct Panicking;

impl Body for Panicking {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        panic!("as the test has it")
    }
}

#[tokio::test]
async fn a_request_over_which_the_server_panics_is_answered_counted_and_logged() {
    let world = World::new();
    let log = Log::listen();
    let head = Request::post(LOGIN).header("host", "auth.example").header("content-type", "application/json");
    let answer = world.service.answer(head.body(Panicking).unwrap(), None).await;
    assert_eq!(answer.status(), 500);
    assert!(!answer.headers()["x-request-id"].is_empty());
    let page = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(
        page.starts_with(b"\n<!doctype html>") && !page.windows(4).any(|part| part == b"test"),
        "it does not say why: {page:?}"
    );
    let errors = log.texts(Level::ERROR);
    assert!(errors.iter().any(|line| line.contains("answering a request panicked")), "{errors:?}");
    let counted = world.service.auth().metrics().text(countersign_metrics::Form::OpenMetrics);
    assert!(counted.contains("code=\"server_error\""), "{counted}");
    world.send(Draft::get(ME)).await.is(401);
}
