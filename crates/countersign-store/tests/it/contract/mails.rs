//! The outbox: one mail for each address and purpose, each taken by one at a time, and none lost by whoever took it.

use std::collections::BTreeSet;

use countersign_domain::{Email, MailKind, RawText};
use countersign_store::{Mail, PoolOptions, Queueing, Store};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::place::{Place, after_noon, noon};

const LEASE: SignedDuration = SignedDuration::from_secs(60);

fn address(text: &str) -> Email {
    Email::parse(&RawText::from(text)).unwrap()
}

async fn queue(store: &Store, to: &str, now: Timestamp) -> Queueing {
    store.queue_mail(MailKind::Registration, &address(to), now).await.unwrap()
}

async fn claim(store: &Store, now: Timestamp) -> Option<Mail> {
    store.claim_mail(now, LEASE).await.unwrap()
}

#[tokio::test]
async fn a_mail_is_taken_as_it_was_asked_for_and_shows_its_address_to_nobody() {
    let Some((place, store)) = Place::open().await else { return };
    assert_eq!(claim(&store, noon()).await, None);
    assert_eq!(queue(&store, "Ada@Example.COM", noon()).await, Queueing::Queued);
    assert_eq!(claim(&store, after_noon(-1)).await, None, "not before its time");
    let mail = claim(&store, noon()).await.unwrap();
    let expected = (MailKind::Registration, "Ada@example.com", noon(), 1);
    assert_eq!((mail.kind, mail.address.as_str(), mail.created_at, mail.attempts), expected);
    assert!(!format!("{mail:?}").contains("example"));
    let row = "SELECT kind, address, created_at, next_attempt_at, attempts FROM countersign_mail";
    assert_eq!(place.rows(row), ["registration|Ada@example.com|1767268800000000|1767268860000000|1"]);
}

#[tokio::test]
async fn every_kind_is_taken_and_what_a_later_version_sends_is_left_to_it() {
    let Some((place, store)) = Place::open().await else { return };
    place.run("INSERT INTO countersign_mail VALUES ('later', 'of tomorrow', 'eve@example.com', 1, 1, 0)");
    for kind in MailKind::ALL {
        store.queue_mail(kind, &address("ada@example.com"), noon()).await.unwrap();
        assert_eq!(claim(&store, noon()).await.unwrap().kind, kind);
    }
    assert_eq!(claim(&store, noon()).await, None);
    assert_eq!(place.rows("SELECT attempts FROM countersign_mail WHERE id = 'later'"), ["0"]);
}

#[tokio::test]
async fn while_a_mail_waits_the_next_request_for_it_changes_nothing() {
    let Some((place, store)) = Place::open().await else { return };
    assert_eq!(queue(&store, "ada@example.com", noon()).await, Queueing::Queued);
    let everything = "SELECT id, created_at, next_attempt_at, attempts FROM countersign_mail";
    let before = place.rows(everything);
    assert_eq!(queue(&store, "ada@EXAMPLE.com", after_noon(1)).await, Queueing::Waiting);
    assert_eq!(place.rows(everything), before);
    assert_eq!(queue(&store, "bob@example.com", after_noon(1)).await, Queueing::Queued);
    assert_eq!(store.waiting_mails().await.unwrap(), 2);
    store.delete_mail(&claim(&store, noon()).await.unwrap()).await.unwrap();
    assert_eq!(queue(&store, "ada@example.com", after_noon(2)).await, Queueing::Queued);
}

#[tokio::test]
async fn the_one_that_waited_longest_comes_first() {
    let Some((_place, store)) = Place::open().await else { return };
    for (to, at) in [("b@example.com", 2), ("c@example.com", 3), ("a@example.com", 1)] {
        queue(&store, to, after_noon(at)).await;
    }
    for expected in ["a@example.com", "b@example.com", "c@example.com"] {
        assert_eq!(claim(&store, after_noon(9)).await.unwrap().address, expected);
    }
    assert_eq!(claim(&store, after_noon(9)).await, None);
}

#[tokio::test]
async fn of_many_takers_each_mail_has_one() {
    let Some((place, store)) = Place::open().await else { return };
    let other = Store::open(&place.url(), &PoolOptions::default()).await.unwrap();
    for number in 0..20 {
        queue(&store, &format!("user{number}@example.com"), noon()).await;
    }
    let mut takers = JoinSet::new();
    for number in 0..40 {
        let store = if number % 2 == 0 { store.clone() } else { other.clone() };
        takers.spawn(async move { claim(&store, after_noon(1)).await });
    }
    let taken: Vec<Mail> = takers.join_all().await.into_iter().flatten().collect();
    let addresses: BTreeSet<&str> = taken.iter().map(|mail| mail.address.as_str()).collect();
    assert_eq!((taken.len(), addresses.len()), (20, 20));
}

#[tokio::test]
async fn a_mail_whose_taker_is_not_heard_of_again_is_taken_by_another_who_then_decides() {
    let Some((place, store)) = Place::open().await else { return };
    queue(&store, "ada@example.com", noon()).await;
    let lost = claim(&store, noon()).await.unwrap();
    assert_eq!(claim(&store, after_noon(59)).await, None);
    let again = claim(&store, after_noon(60)).await.unwrap();
    assert_eq!((&again.id, again.attempts), (&lost.id, 2));
    store.postpone_mail(&lost, noon()).await.unwrap();
    assert_eq!(claim(&store, after_noon(60)).await, None, "the first has nothing to say any more");
    store.postpone_mail(&again, after_noon(90)).await.unwrap();
    assert_eq!(claim(&store, after_noon(89)).await, None);
    let third = claim(&store, after_noon(90)).await.unwrap();
    assert_eq!(third.attempts, 3);
    store.delete_mail(&lost).await.unwrap();
    assert_eq!(place.rows("SELECT id FROM countersign_mail"), [""; 0], "what was sent is sent");
    store.delete_mail(&third).await.unwrap();
}

#[tokio::test]
async fn when_too_many_wait_no_address_is_taken_on_whether_it_waits_or_not() {
    let Some((place, store)) = Place::open().await else { return };
    let numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)";
    place.run(&format!(
        "INSERT INTO countersign_mail (id, kind, address, created_at, next_attempt_at, attempts)
         {numbers} SELECT 'mail' || n, 'registration', n || '@example.com', n, n, 0 FROM n"
    ));
    assert_eq!(queue(&store, "1@example.com", noon()).await, Queueing::Full);
    assert_eq!(queue(&store, "ada@example.com", noon()).await, Queueing::Full);
    store.delete_mail(&claim(&store, noon()).await.unwrap()).await.unwrap();
    assert_eq!(queue(&store, "ada@example.com", noon()).await, Queueing::Queued);
    assert_eq!(queue(&store, "2@example.com", noon()).await, Queueing::Full);
}
