//! The server: accepts connections, lets `connection` speak on them, and ends without cutting off a request.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use countersign_metrics::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use crate::connection::{Conversation, Ended, MOMENT, Shared, begin, cut_off, is_true};
use crate::places::{Place, Places};
use crate::seats::{Seats, Taken};
use crate::tls::Tls;
use crate::{Limits, Service};

/// How long to wait before accepting again when the system has nothing left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a server treats its clients.
#[derive(Default)]
pub struct Manners {
    /// With which certificate it encrypts, if it does.
    pub tls: Option<Arc<Tls>>,
    /// What a connection may take.
    pub limits: Limits,
    /// How long requests in flight have once it has stopped.
    pub deadline: Duration,
}

/// Serves until `stop` is ready, then finishes the requests in flight.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    stop: impl Future<Output = ()>,
    manners: Manners,
) {
    let Manners { tls, limits, deadline } = manners;
    let open = service.auth().metrics().connections.clone();
    let (places, seats) = (Places::new(limits.connections), Arc::new(Seats::new()));
    let shared = Arc::new(Shared {
        service,
        places,
        seats,
        limits,
        tls,
        has_missed_an_announcement: AtomicBool::new(false),
    });
    let stopping = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &shared.places) => accepted,
            () = &mut stop => break,
        };
        let welcome = welcome(stream, peer, Arc::clone(&shared), place, stopping.subscribe());
        connections.spawn(attend(Open::counted_in(open.clone()), welcome));
        while let Some(ended) = connections.try_join_next() {
            tell(ended);
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let all = async {
        while let Some(ended) = connections.join_next().await {
            tell(ended);
        }
    };
    if timeout(deadline, all).await.is_err() {
        tracing::warn!(
            "requests were cut off after {} s; raise DRAIN_TIMEOUT if they need longer",
            deadline.as_secs()
        );
    }
}

/// Serves a connection to its end. What it takes to welcome it is in a piece of memory of its own, which is given back by then:
/// most connections wait most of their time.
fn attend(
    open: Open,
    welcome: impl Future<Output = Result<Option<Guest>, Ended>> + Send,
) -> impl Future<Output = ()> + Send {
    let welcome = Box::pin(welcome);
    async {
        let ended = match welcome.await {
            Ok(Some(mut guest)) => guest.stay().await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::debug!(error, "connection ended");
        }
        drop(open);
    }
}

/// Who has a place, and is served for as long as that is so.
struct Guest {
    taken: Arc<Taken>,
    conversation: Conversation,
    _place: Place,
}

impl Guest {
    async fn stay(&mut self) -> Result<(), Ended> {
        tokio::select! {
            biased;
            ended = &mut self.conversation => ended,
            () = self.taken.is_to_go() => Err(cut_off("another client needed the place")),
        }
    }
}

/// Finds a place for a connection, then who it is, then what is spoken on it; nothing, if it is over by then. If there is
/// no place, another one gives way that is not being served; if there is no such, it is answered once.
async fn welcome(
    stream: TcpStream,
    peer: IpAddr,
    shared: Arc<Shared>,
    mut place: Place,
    mut stopping: watch::Receiver<bool>,
) -> Result<Option<Guest>, Ended> {
    if place.is_beyond {
        place = shared.place_of_another().await.unwrap_or(place);
    }
    if place.is_beyond {
        let once = async {
            let client = shared.client_behind(peer, &stream).await?;
            match begin(stream, shared, client, None, stopping).await? {
                Some(conversation) => conversation.await,
                None => Ok(()),
            }
        };
        return timeout(MOMENT, once).await.unwrap_or(Ok(())).map(|()| None);
    }
    let mut taken = Arc::new(shared.seats.take(shared.service.one_client(peer)));
    let client = tokio::select! {
        biased;
        // First: with the seat it would be forgotten that somebody waits for the place.
        () = taken.is_to_go() => return Err(cut_off("another client needed the place")),
        client = shared.client_behind(peer, &stream) => client?,
        () = is_true(&mut stopping) => return Ok(None),
    };
    if client.address != peer {
        taken = Arc::new(shared.seats.take(shared.service.one_client(client.address)));
    }
    let begun = tokio::select! {
        biased;
        begun = begin(stream, shared, client, Some(Arc::clone(&taken)), stopping) => begun?,
        () = taken.is_to_go() => return Err(cut_off("another client needed the place")),
    };
    Ok(begun.map(|conversation| Guest { taken, conversation, _place: place }))
}

fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task did not end by itself: an error in Countersign; report it");
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
async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, IpAddr, Place) {
    let place = places.take().await;
    let mut is_exhausted = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if is_exhausted {
                    tracing::info!("connections are accepted again");
                }
                return (stream, peer.ip(), places.settle(place));
            }
            Err(error) if is_of_one_client(&error) => tracing::debug!(%error, "a client went away"),
            Err(error) => {
                if !is_exhausted {
                    tracing::error!(%error, "no connection can be accepted for now; raise the limit of open files (`ulimit -n`, LimitNOFILE= of a unit)");
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
