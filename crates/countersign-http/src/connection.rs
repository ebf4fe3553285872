//! One connection: its first bytes decide what is spoken on it, HTTP/1.1 or HTTP/2, in the clear or behind TLS. What each
//! needs is allocated once that is known: a client that says nothing costs next to nothing.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, FORWARDED, STRICT_TRANSPORT_SECURITY};
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

use crate::client_address::X_FORWARDED_FOR;
use crate::lingering::Lingering;
use crate::opening::Opening;
use crate::places::{Place, Places};
use crate::seats::{Eviction, Seats, Taken, Turn};
use crate::seen::REQUEST_ID;
use crate::tls::Tls;
use crate::{Limits, Service, http2, proxy_protocol};

/// The largest head of a request, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) service: Arc<Service>,
    pub(crate) places: Places,
    pub(crate) seats: Arc<Seats>,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Arc<Tls>>,
    /// Whether a proxy that does not say who has connected to it was told of.
    pub(crate) has_missed_an_announcement: AtomicBool,
}

/// How long a place is waited for that another one was asked for.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);

impl Shared {
    /// Who has connected: the peer, or whom it names, if it is a proxy that has to.
    pub(crate) async fn client_behind(&self, peer: IpAddr, stream: &TcpStream) -> Result<Behind, Ended> {
        if !self.service.is_announced_by(peer) {
            return Ok(Behind { address: peer, is_unnamed: false });
        }
        let announced = timeout(self.limits.announcement, Box::pin(proxy_protocol::take(stream))).await?;
        if let Err(error) = &announced
            && error.kind() == io::ErrorKind::InvalidData
            && !self.has_missed_an_announcement.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "one of TRUSTED_PROXIES connects without the PROXY protocol, and is refused: have it send that \
                 (send-proxy-v2, proxy_protocol on), or set PROXY_PROTOCOL=off"
            );
        }
        let named = announced?;
        Ok(Behind { address: named.unwrap_or(peer), is_unnamed: named.is_none() })
    }

    /// A place that somebody gives up who is not being served.
    pub(crate) async fn place_of_another(&self) -> Option<Place> {
        if !self.seats.make_room() {
            return None;
        }
        timeout(MOMENT, self.places.regular()).await.ok()
    }
}

/// Who speaks on a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behind {
    pub(crate) address: IpAddr,
    /// Whether the address is that of a proxy which has named nobody: what comes may be anybody's.
    pub(crate) is_unnamed: bool,
}

/// One connection, whatever is spoken on it.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    /// If there was no place for it, there is none, and it is answered once.
    seat: Option<Arc<Taken>>,
    peer: Behind,
}

/// Why a connection ended before its time; nobody but its client can do anything about it.
pub(crate) type Ended = Box<dyn std::error::Error + Send + Sync>;

/// The place of a request that shares its connection with others.
pub(crate) struct Beside {
    seat: Taken,
    _place: Place,
}

/// What is left of a connection once it is known what is spoken on it: it is to be served to its end.
pub(crate) type Conversation = Pin<Box<dyn Future<Output = Result<(), Ended>> + Send>>;

/// Finds out what is spoken on a connection, unless `stopping` comes before. One without a `seat` had no place, and is answered once.
/// Once `stopping` is true, requests in flight are its last.
pub(crate) async fn begin(
    stream: TcpStream,
    shared: Arc<Shared>,
    peer: Behind,
    seat: Option<Arc<Taken>>,
    mut stopping: watch::Receiver<bool>,
) -> Result<Option<Conversation>, Ended> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let opening = tokio::select! {
        biased;
        opening = timeout(shared.limits.head, first_bytes(&stream, shared.tls.is_some())) => opening??,
        () = is_true(&mut stopping) => return Ok(None),
    };
    let peer = Behind { address: peer.address.to_canonical(), ..peer };
    let connection = Connection { shared, seat, peer };
    let is_http2 = opening.is_http2();
    let stream = Lingering::new(stream, opening);
    Ok(Some(match connection.shared.tls.clone() {
        Some(tls) => Box::pin(encrypted(tls, stream, connection, stopping)),
        None if is_http2 => Box::pin(http2::serve(stream, connection, stopping)),
        None => Box::pin(serve_http1(stream, connection, stopping)),
    }))
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
    tls: Arc<Tls>,
    stream: Lingering,
    connection: Connection,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Ended> {
    let (stream, is_http2) = tokio::select! {
        biased;
        shaken = timeout(connection.shared.limits.handshake, tls.accept(stream)) => shaken??,
        () = is_true(&mut stopping) => return Ok(()),
    };
    if is_http2 {
        Box::pin(http2::serve(stream, connection, stopping)).await
    } else {
        serve_http1(stream, connection, stopping).await
    }
}

/// Not an `async fn`, whose future would have room for the stream twice.
fn serve_http1<I>(
    stream: I,
    connection: Connection,
    mut stopping: watch::Receiver<bool>,
) -> impl Future<Output = Result<(), Ended>> + Send
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (has_place, head) = (connection.seat.is_some(), connection.shared.limits.head);
    let connection = Arc::new(connection);
    let answer = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        answering(async move {
            let mut answer = connection.answer(request, None).await;
            if connection.shared.service.readiness().is_draining() {
                answer.headers_mut().insert(CONNECTION, CLOSE);
            }
            Ok(answer)
        })
    });
    let mut serving = Box::pin(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .keep_alive(has_place)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), answer),
    );
    async move {
        tokio::select! {
            biased;
            ended = serving.as_mut() => return Ok(ended?),
            () = is_true(&mut stopping) => serving.as_mut().graceful_shutdown(),
        }
        Ok(serving.await?)
    }
}

impl Connection {
    /// The answer to a request that came on it.
    pub(crate) async fn answer<B>(
        &self,
        request: Request<B>,
        beside: Option<&Beside>,
    ) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Some(seat) = &self.seat else { return self.turn_away(request) };
        let turn = Turn::at(seat, beside.map(|beside| &beside.seat));
        let request = request.map(|body| turn.arriving(body));
        if turn.is_going() {
            return std::future::pending().await; // what ends it is on its way
        }
        let request = self.without_words_of_proxies(request);
        self.marked(self.shared.service.answer(request, Some(self.peer.address)).await)
    }

    /// A place for a request that shares the connection with others, and is answered by a task that can be ended: it may hold as much
    /// as one that has its own. While it waits for one, its connection does not give way itself.
    pub(crate) async fn place_beside(&self, eviction: Eviction) -> Option<Beside> {
        let seat = self.seat.as_ref()?;
        let place = if let Some(place) = self.shared.places.for_stream() {
            place
        } else {
            let _stays = seat.stay();
            self.shared.place_of_another().await?
        };
        Some(Beside { seat: seat.beside(eviction), _place: place })
    }

    /// The answer to a request for which there is no place.
    pub(crate) fn turn_away<B>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        let request = self.without_words_of_proxies(request);
        self.marked(self.shared.service.turn_away(&request, Some(self.peer.address)))
    }

    /// The request without the headers that are believed of proxies, if nobody knows whose it is: one that passes on
    /// connections takes none out.
    fn without_words_of_proxies<B>(&self, mut request: Request<B>) -> Request<B> {
        if self.peer.is_unnamed {
            for name in [X_FORWARDED_FOR, FORWARDED, REQUEST_ID] {
                request.headers_mut().remove(name);
            }
        }
        request
    }

    fn marked(&self, mut answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        if let Some(hsts) = self.shared.tls.as_ref().and_then(|tls| tls.hsts()) {
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
