//! The server: accepts connections, speaks HTTP/1.1 on them, and ends without cutting off a request.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::Service;
use crate::lingering::Lingering;
use crate::places::places;

/// A client that has not sent its request's head by then is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How long to wait before accepting again when the system has nothing left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long requests in flight may take to finish after `stop`.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// Serves until `stop` is ready, then finishes the requests in flight.
pub async fn serve(listener: TcpListener, service: Arc<Service>, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(places())); // without one, connections wait to be accepted
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let connection = graceful.watch(connection(stream, Arc::clone(&service)));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
        while let Some(ended) = connections.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a connection's task did not end by itself");
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_DEADLINE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off after {} s", DRAIN_DEADLINE.as_secs());
    }
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    let mut is_exhausted = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if is_exhausted {
                    tracing::info!("connections are accepted again");
                }
                return (stream, place);
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

/// One connection, to be driven by whoever awaits it.
fn connection(
    stream: TcpStream,
    service: Arc<Service>,
) -> impl GracefulConnection<Error = hyper::Error> + Send {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let peer = stream.peer_addr().ok().map(|peer| peer.ip().to_canonical());
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request, peer).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
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
