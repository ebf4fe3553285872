//! The server: accepts connections, speaks HTTP/1.1 on them, and ends without cutting off a request.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use countersign_metrics::Gauge;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Service;
use crate::lingering::Lingering;
use crate::places::{Place, Places};

/// A client that has not sent its request's head by then is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How long to wait before accepting again when the system has nothing left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may last for which there was no place.
const MOMENT: Duration = Duration::from_secs(1);

/// Serves until `stop` is ready, then finishes the requests in flight, for which they have until `deadline` has passed.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    stop: impl Future<Output = ()>,
    deadline: Duration,
) {
    let graceful = GracefulShutdown::new();
    let places = Places::new();
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let is_beyond = place.is_beyond;
        let connection = graceful.watch(connection(stream, Arc::clone(&service), is_beyond));
        let open = Open::counted_in(service.auth().metrics().connections.clone());
        connections.spawn(async move {
            let ended = if is_beyond {
                tokio::time::timeout(MOMENT, connection).await.unwrap_or(Ok(()))
            } else {
                connection.await
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
            drop((place, open));
        });
        while let Some(ended) = connections.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a connection's task did not end by itself");
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(deadline, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off after {} s", deadline.as_secs());
    }
}

/// A connection that is open, as long as this is there.
struct Open(Gauge);

impl Open {
    fn counted_in(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, Place) {
    let place = places.take().await;
    let mut is_exhausted = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if is_exhausted {
                    tracing::info!("connections are accepted again");
                }
                return (stream, places.settle(place));
            }
            Err(error) if is_of_one_client(&error) => tracing::debug!(%error, "a client went away"),
            Err(error) => {
                if !is_exhausted {
                    tracing::error!(%error, "no connection can be accepted for now");
                }
                is_exhausted = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only this client could not be accepted. Everything else, above all a lack of file descriptors or memory,
/// will still be so for the next one.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | HostUnreachable | Interrupted
    )
}

/// One connection, to be driven by whoever awaits it. One that `is_beyond` the places is answered once.
fn connection(
    stream: TcpStream,
    service: Arc<Service>,
    is_beyond: bool,
) -> impl GracefulConnection<Error = hyper::Error> + Send {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let peer = stream.peer_addr().ok().map(|peer| peer.ip().to_canonical());
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move {
            let answer =
                if is_beyond { service.turn_away(&request) } else { service.answer(request, peer).await };
            Ok::<_, Infallible>(answer)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(!is_beyond)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Lingering::new(stream)), answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_client_that_went_away_is_no_reason_to_pause_and_a_lack_of_descriptors_is() {
        let is_of_one_client = |code| is_of_one_client(&io::Error::from_raw_os_error(code));
        let [connection_aborted, too_many_open_files, no_memory] = [103, 24, 12];
        assert!(is_of_one_client(connection_aborted));
        assert!(!is_of_one_client(too_many_open_files) && !is_of_one_client(no_memory));
    }
}
