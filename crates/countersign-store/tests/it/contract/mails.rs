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
    store.claim_mail(&MailKind::ALL, now, LEASE).await.unwrap()
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
async fn kinds_that_are_not_asked_for_are_left_to_others() {
    let Some((_place, store)) = Place::open().await else { return };
    queue(&store, "ada@example.com", noon()).await;
    assert_eq!(store.claim_mail(&[], noon(), LEASE).await.unwrap(), None);
    assert_eq!(claim(&store, noon()).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn first_attempts_come_before_repeats_and_of_those_the_fewest_first() {
    let Some((_place, store)) = Place::open().await else { return };
    for (to, attempts) in [("twice@example.com", 2), ("once@example.com", 1)] {
        queue(&store, to, noon()).await;
        for _ in 0..attempts {
            let mail = claim(&store, noon()).await.unwrap();
            store.postpone_mail(&mail, noon()).await.unwrap();
            assert_eq!(mail.address, to);
        }
    }
    queue(&store, "new@example.com", after_noon(5)).await;
    for expected in ["new@example.com", "once@example.com", "twice@example.com"] {
        assert_eq!(claim(&store, after_noon(9)).await.unwrap().address, expected);
    }
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

/// As many as may wait.
fn fill(place: &Place) {
    let numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)";
    place.run(&format!(
        "INSERT INTO countersign_mail (id, kind, address, created_at, next_attempt_at, attempts)
         {numbers} SELECT 'mail' || n, 'registration', n || '@example.com', n, n, 0 FROM n"
    ));
}

#[tokio::test]
async fn when_too_many_wait_no_address_is_taken_on_whether_it_waits_or_not() {
    let Some((place, store)) = Place::open().await else { return };
    fill(&place);
    assert_eq!(queue(&store, "1@example.com", noon()).await, Queueing::Full);
    assert_eq!(queue(&store, "ada@example.com", noon()).await, Queueing::Full);
    place.run("UPDATE countersign_mail SET attempts = 1");
    assert_eq!(queue(&store, "ada@example.com", noon()).await, Queueing::Full, "each has one attempt");
    store.delete_mail(&claim(&store, noon()).await.unwrap()).await.unwrap();
    assert_eq!(queue(&store, "ada@example.com", noon()).await, Queueing::Queued);
    assert_eq!(queue(&store, "2@example.com", noon()).await, Queueing::Full);
}

#[tokio::test]
async fn when_too_many_wait_a_new_one_takes_the_place_of_what_has_been_put_off_the_most() {
    let Some((place, store)) = Place::open().await else { return };
    fill(&place);
    place.run("UPDATE countersign_mail SET attempts = 2 WHERE id = 'mail8'");
    place.run("UPDATE countersign_mail SET attempts = 3 WHERE id IN ('mail7', 'mail9')");
    place.run("UPDATE countersign_mail SET attempts = 4 WHERE id = 'mail5'");
    let in_place_of = |id: &str| Queueing::InPlaceOf(id.to_owned());
    assert_eq!(queue(&store, "1@example.com", noon()).await, Queueing::Waiting);
    assert_eq!(queue(&store, "5@example.com", noon()).await, Queueing::Waiting);
    assert_eq!(store.waiting_mails().await.unwrap(), 10_000, "what waits already needs no place");
    for (to, gone) in [("ada", "mail5"), ("bob", "mail9"), ("eve", "mail7"), ("dan", "mail8")] {
        assert_eq!(queue(&store, &format!("{to}@example.com"), noon()).await, in_place_of(gone));
        assert_eq!(place.rows(&format!("SELECT id FROM countersign_mail WHERE id = '{gone}'")), [""; 0]);
    }
    assert_eq!(queue(&store, "fay@example.com", noon()).await, Queueing::Full);
    assert_eq!(store.waiting_mails().await.unwrap(), 10_000);
}
