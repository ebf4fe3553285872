//! One connection: its first bytes decide what is spoken on it, HTTP/1.1 or HTTP/2, in the clear or behind TLS. What each
//! needs is allocated once that is known: a client that says nothing costs next to nothing.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::lingering::Lingering;
use crate::opening::Opening;
use crate::places::Places;
use crate::seats::{Seat, Seats};
use crate::tls::Tls;
use crate::{Limits, Service, http2};

/// The largest head of a request, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) service: Arc<Service>,
    pub(crate) places: Places,
    pub(crate) seats: Arc<Seats>,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Arc<Tls>>,
}

/// One connection, whatever is spoken on it.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    seat: Arc<Seat>,
    peer: Option<IpAddr>,
    /// Whether there was no place for it; then it is answered once.
    is_beyond: bool,
    /// What says that the connection is encrypted, and is to stay so.
    hsts: Option<HeaderValue>,
}

/// Why a connection ended before its time; nobody but its client can do anything about it.
pub(crate) type Ended = Box<dyn std::error::Error + Send + Sync>;

/// Serves a connection to its end. One without a `seat` had no place, and is answered once. Once `stopping` is true, requests in flight are its last.
pub(crate) async fn converse(
    stream: TcpStream,
    shared: Arc<Shared>,
    seat: Option<Arc<Seat>>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Ended> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let opening = tokio::select! {
        biased;
        opening = timeout(shared.limits.head, first_bytes(&stream, shared.tls.is_some())) => opening??,
        () = is_true(&mut stopping) => return Ok(()),
    };
    let peer = stream.peer_addr().ok().map(|peer| peer.ip().to_canonical());
    let is_beyond = seat.is_none();
    let seat = seat.unwrap_or_else(|| Arc::new(Seat::of_none()));
    let connection = Connection { seat, peer, is_beyond, hsts: None, shared };
    let is_http2 = opening.is_http2();
    let stream = Lingering::new(stream, opening);
    match connection.shared.tls.clone() {
        Some(tls) => Box::pin(encrypted(&tls, stream, connection, stopping)).await,
        None if is_http2 => Box::pin(http2::serve(stream, connection, stopping)).await,
        None => Box::pin(serve_http1(stream, connection, stopping)).await,
    }
}

/// Waits for the first bytes. Those of TLS are for rustls.
async fn first_bytes(stream: &TcpStream, is_encrypted: bool) -> io::Result<Opening> {
    if is_encrypted {
        stream.peek(&mut [0]).await?;
        return Ok(Opening::default());
    }
    Opening::read(stream).await
}

async fn encrypted(
    tls: &Tls,
    stream: Lingering,
    mut connection: Connection,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Ended> {
    let (stream, is_http2) = tokio::select! {
        biased;
        shaken = timeout(connection.shared.limits.handshake, tls.accept(stream)) => shaken??,
        () = is_true(&mut stopping) => return Ok(()),
    };
    connection.hsts = tls.hsts();
    if is_http2 {
        Box::pin(http2::serve(stream, connection, stopping)).await
    } else {
        serve_http1(stream, connection, stopping).await
    }
}

async fn serve_http1<I>(
    stream: I,
    connection: Connection,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Ended>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (is_beyond, head) = (connection.is_beyond, connection.shared.limits.head);
    let connection = Arc::new(connection);
    let answer = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        answering(async move { Ok(connection.answer(request).await) })
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .keep_alive(!is_beyond)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        biased;
        ended = serving.as_mut() => return Ok(ended?),
        () = is_true(&mut stopping) => serving.as_mut().graceful_shutdown(),
    }
    Ok(serving.await?)
}

impl Connection {
    /// The answer to a request that came on it.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if self.is_beyond {
            return self.turn_away(&request);
        }
        let turn = self.seat.turn();
        let request = request.map(|body| turn.arriving(body));
        self.marked(self.shared.service.answer(request, self.peer).await)
    }

    /// The answer to a request for which there is no place.
    pub(crate) fn turn_away<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        self.marked(self.shared.service.turn_away(request))
    }

    fn marked(&self, mut answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        if let Some(hsts) = &self.hsts {
            answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        answer
    }
}

/// A request's work, in memory that it alone needs: hyper makes room for it with the connection, and keeps that.
pub(crate) fn answering<B>(
    work: impl Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
) -> Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>> {
    Box::pin(work)
}

/// Ready when it is true, and when nobody is left who could say so.
pub(crate) async fn is_true(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// An error for a connection that takes more than it may.
pub(crate) fn cut_off(why: &'static str) -> Ended {
    io::Error::other(why).into()
}
