//! HTTP/2 on one connection. Its client may have many requests at once on it, and take each back at no cost of its own;
//! so what hyper and h2 bound (heads, streams, windows, resets that were not even looked at) is not all: each request
//! beside another one takes a place like a connection, and gives way like one; who takes back most of what it asks is cut off, and so is one that no longer
//! takes its answers.

mod streams;

use std::sync::Arc;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use self::streams::{Spawner, Streams, Tasks};
use crate::Limits;
use crate::connection::{Connection, Ended, MAX_HEAD, answering, cut_off, is_true};

/// What a client may send on a stream before it is read. A small body has room.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// The same for all streams of a connection together.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// What waits to be sent on one stream.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Streams that were taken back before they were looked at, and those whose end we have told and whose frames may
/// still come.
const MAX_RESET_STREAMS: usize = 32;

/// Serves the connection to its end. Once `stopping` is true, requests in flight are its last.
pub(crate) async fn serve<I>(
    stream: I,
    connection: Connection,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Ended>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = connection.shared.limits;
    let (connection, tasks) = (Arc::new(connection), Tasks::default());
    let streams = Arc::new(Streams::of(&tasks));
    let begin = Arc::clone(&streams);
    let answer = service_fn(move |request| {
        let (connection, stream) = (Arc::clone(&connection), begin.begin());
        answering(async move {
            let beside = match stream.eviction() {
                Some(eviction) => connection.place_beside(eviction).await,
                None => None,
            };
            let answer = if stream.is_alone || beside.is_some() {
                connection.answer(request, beside.as_ref()).await
            } else {
                connection.turn_away(request)
            };
            Ok(answer.map(|body| stream.answered(body, beside)))
        })
    });
    let serving = builder(&limits, Spawner::of(&streams)).serve_connection(TokioIo::new(stream), answer);
    let mut serving = std::pin::pin!(serving);
    let mut is_ending = false;
    loop {
        tokio::select! {
            biased;
            ended = serving.as_mut() => return Ok(ended?),
            () = streams.too_many_taken_back(limits.taken_back) => {
                return Err(cut_off("the client takes back what it asks"));
            }
            () = is_true(&mut stopping), if !is_ending => {}
            () = streams.quiet(limits.idle, limits.stalled) => if is_ending || streams.are_some() {
                return Err(cut_off("the client does not take its answers"));
            },
        }
        is_ending = true;
        streams.stir(); // those in flight have their time
        serving.as_mut().graceful_shutdown();
    }
}

fn builder(limits: &Limits, spawner: Spawner) -> http2::Builder<Spawner> {
    let (interval, patience) = limits.ping;
    let mut builder = http2::Builder::new(spawner);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_RESET_STREAMS)
        .keep_alive_interval(interval)
        .keep_alive_timeout(patience);
    builder
}
