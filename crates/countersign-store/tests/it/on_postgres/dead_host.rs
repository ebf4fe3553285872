//! A server whose host dies while it links events: its connection stays, and says nothing more.

use std::pin::Pin;
use std::task::Poll;

use countersign_domain::{Actor, Event, EventKind};
use countersign_store::{PoolOptions, Store, StoreError};

use super::place::{Place, noon};

/// Whether somebody's transaction is open and nothing is asked in it.
const IDLE: &str = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND state = 'idle in transaction'";

type Linking<'a> = Pin<Box<dyn Future<Output = Result<usize, StoreError>> + 'a>>;

/// Somebody who has the chain in the middle of a transaction, and is not polled any more.
async fn dying<'a>(place: &Place, store: &'a Store) -> Linking<'a> {
    let event = Event::new(EventKind::ServerStarted, Actor::Server, noon());
    for _ in 0..50 {
        store.record_events(vec![event.clone(); 200]).await.unwrap();
        let mut linking: Linking<'a> = Box::pin(store.link_events(noon()));
        let mut polls = 0;
        while !std::future::poll_fn(|cx| Poll::Ready(linking.as_mut().poll(cx).is_ready())).await {
            polls += 1;
            if polls > 20 && place.rows(IDLE) == ["1"] {
                return linking;
            }
            tokio::task::yield_now().await;
        }
    }
    panic!("it is never seen in the middle");
}

#[tokio::test]
async fn who_dies_while_linking_has_the_chain_for_seconds_and_not_until_tcp_gives_up() {
    let Some((place, store)) = Place::open().await else { return };
    let dead = dying(&place, &store).await;
    let other = Store::open(&place.url(), &PoolOptions::default()).await.unwrap();
    let mut linked = Ok(0);
    for _ in 0..5 {
        linked = other.link_events(noon()).await; // each wait for an answer has its end, too
        if linked.is_ok() {
            break;
        }
    }
    assert!(linked.unwrap() > 0);
    assert_eq!(other.waiting_events(1).await.unwrap(), []);
    drop(dead);
}
