//! Many at once, on few connections of the server.

use countersign_domain::{Client, SessionId};
use countersign_store::{Exchange, Exchanged, NewSession, Store};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::bouncer::Bouncer;
use super::place::{Place, after_noon, noon, options, person};
use crate::patience::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_exchange_a_token_at_once_one_succeeds() {
    let Some((_place, store)) = Place::open().await else { return };
    let ada = store.insert_user(person("ada")).await.unwrap();
    let account = store.find_user(ada).await.unwrap().unwrap();
    let id = SessionId::parse(&"a".repeat(32)).unwrap();
    let session = NewSession {
        id: id.clone(),
        user: ada,
        created_at: noon(),
        expires_at: after_noon(60),
        client: Client::new(None, "a browser"),
    };
    assert!(store.record_login(Some(session), None, &account, None).await.unwrap());
    let exchange = Exchange {
        session: id,
        begun: None,
        generation: 0,
        jti: "one".to_owned(),
        at: noon(),
        expires_at: after_noon(60),
        blacklisted: None,
        recorded: None,
    };
    let mut racers = JoinSet::new();
    for _ in 0..40 {
        let (store, exchange) = (store.clone(), exchange.clone());
        racers.spawn(async move { store.exchange(exchange).await.unwrap() });
    }
    let outcomes = racers.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Exchanged::Done).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_start_at_once_migrate_once() {
    let Some(bouncer) = Bouncer::shared() else { return };
    let (database, url) = bouncer.database();
    let url = url.parse().unwrap();
    let options = options();
    let open = || Store::open(&url, &options);
    let (one, two, three, four) = tokio::join!(open(), open(), open(), open());
    for store in [one, two, three, four] {
        assert!(!store.unwrap().username_exists("ada").await.unwrap());
    }
    assert_eq!(database.rows("SELECT count(*) = count(DISTINCT name) FROM countersign_migration"), ["t"]);
}

/// It passes no word on, or to a connection that did not ask.
#[tokio::test]
async fn who_listens_for_keys_here_does_no_harm_to_others() {
    let Some((place, store)) = Place::open().await else { return };
    let changed = Notify::new();
    let changing = async {
        let first = timeout(PATIENCE, changed.notified()).await;
        assert!(first.is_ok(), "it cannot listen at all");
        for number in 0..20 {
            place.rows("SELECT pg_notify('countersign_key', '')");
            store.insert_user(person(&format!("ada{number}"))).await.unwrap();
            assert_eq!(store.list_keys().await.unwrap(), []);
        }
    };
    tokio::select! {
        never = store.listen_for_keys(&changed) => match never {},
        () = changing => {}
    }
}
