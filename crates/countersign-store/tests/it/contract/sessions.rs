//! The sessions: made at a login, exchanged by compare-and-set, ended once, and gone when they are past use.

use countersign_domain::{Client, EndReason, PasswordHash, Session, SessionId, UserId};
use countersign_store::{Account, Ended, Exchange, Exchanged, NewSession, Store, UserChange};
use jiff::{SignedDuration, Timestamp};

use super::place::{Place, after_noon, ending, noon, person, token};

/// Stands for the derivation of ids, which is not the store's.
fn refresh_id(session: &str, generation: u32) -> String {
    format!("{session}/{generation}")
}

fn id(digit: char) -> SessionId {
    SessionId::parse(&digit.to_string().repeat(32)).unwrap()
}

fn new_session(digit: char, user: UserId) -> NewSession {
    let client = Client::new(Some("192.0.2.1".to_owned()), "a browser");
    NewSession { id: id(digit), user, created_at: noon(), expires_at: after_noon(86_400), client }
}

fn exchange(digit: char, generation: u32, at: Timestamp) -> Exchange {
    Exchange {
        session: id(digit),
        begun: None,
        generation,
        jti: refresh_id(id(digit).as_str(), generation),
        at,
        expires_at: at + jiff::SignedDuration::from_hours(24),
        blacklisted: None,
        recorded: None,
    }
}

/// The account as it is.
async fn account(store: &Store, user: UserId) -> Account {
    Account::of(&store.find_user(user).await.unwrap().unwrap(), true)
}

async fn begun(store: &Store, digit: char, user: UserId) -> (NewSession, Account) {
    (new_session(digit, user), account(store, user).await)
}

async fn log_in(store: &Store, user: UserId, digits: &str) {
    let checked = store.find_user(user).await.unwrap().unwrap();
    for digit in digits.chars() {
        assert!(store.record_login(Some(new_session(digit, user)), None, &checked, None).await.unwrap());
    }
}

/// Ada has the sessions `a` and `b`, Bob has `c`.
async fn with_sessions() -> Option<(Place, Store, UserId, UserId)> {
    let (place, store) = Place::open().await?;
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(person("bob")).await.unwrap();
    log_in(&store, ada, "ab").await;
    log_in(&store, bob, "c").await;
    Some((place, store, ada, bob))
}

async fn found(store: &Store, digit: char) -> Session {
    store.find_session(&id(digit)).await.unwrap().unwrap()
}

fn ids(sessions: &[Session]) -> String {
    sessions.iter().filter_map(|session| session.id.as_str().chars().next()).collect()
}

#[tokio::test]
async fn a_session_is_read_back_as_it_began() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    let expected = Session {
        id: id('a'),
        user: ada,
        generation: 0,
        replaced_jti: None,
        rotated_at: noon(),
        created_at: noon(),
        last_seen_at: noon(),
        expires_at: after_noon(86_400),
        ended: None,
        client: Client::new(Some("192.0.2.1".to_owned()), "a browser"),
    };
    assert_eq!(found(&store, 'a').await, expected);
    assert_eq!(store.find_session(&id('f')).await.unwrap(), None);
}

#[tokio::test]
async fn the_sessions_of_a_user_are_listed_while_they_last() {
    let Some((_place, store, ada, bob)) = with_sessions().await else { return };
    let list = async |user, at| ids(&store.list_sessions(user, at, 10).await.unwrap());
    assert_eq!((list(ada, noon()).await, list(bob, noon()).await), ("ab".to_owned(), "c".to_owned()));
    assert_eq!(ids(&store.list_sessions(ada, noon(), 1).await.unwrap()), "a", "no more than asked for");
    assert_eq!(list(ada, after_noon(86_400)).await, "", "they have expired");
    assert!(store.end_session(id('a'), ada, noon(), EndReason::LoggedOut, refresh_id).await.unwrap());
    assert_eq!(list(ada, noon()).await, "b");
}

#[tokio::test]
async fn an_exchange_moves_the_session_on_and_only_from_the_generation_it_is_at() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    assert_eq!(store.exchange(exchange('a', 0, after_noon(60))).await.unwrap(), Exchanged::Done);
    let session = found(&store, 'a').await;
    assert_eq!((session.generation, session.replaced_jti), (1, Some(refresh_id(id('a').as_str(), 0))));
    assert_eq!((session.rotated_at, session.last_seen_at), (after_noon(60), after_noon(60)));
    assert_eq!((session.created_at, session.expires_at), (noon(), after_noon(86_460)));
    assert_eq!(found(&store, 'b').await.generation, 0);

    assert_eq!(store.exchange(exchange('a', 0, after_noon(61))).await.unwrap(), Exchanged::Overtaken);
    assert_eq!(found(&store, 'a').await.rotated_at, after_noon(60), "who is overtaken changes nothing");
    assert_eq!(store.exchange(exchange('f', 0, noon())).await.unwrap(), Exchanged::Overtaken);
    store.end_session(id('a'), ada, after_noon(62), EndReason::LoggedOut, refresh_id).await.unwrap();
    assert_eq!(store.exchange(exchange('a', 1, after_noon(63))).await.unwrap(), Exchanged::Overtaken);
}

#[tokio::test]
async fn an_exchange_writes_djangos_tables_with_the_session_or_not_at_all() {
    let Some((place, store, ada, _)) = with_sessions().await else { return };
    let with_tokens = |exchange: Exchange, successor: &str| Exchange {
        blacklisted: Some(token(&exchange.jti, Some(ada))),
        recorded: Some(token(successor, Some(ada))),
        ..exchange
    };
    let first = refresh_id(id('a').as_str(), 0);
    assert_eq!(store.exchange(with_tokens(exchange('a', 0, noon()), "one")).await.unwrap(), Exchanged::Done);
    assert!(store.is_blacklisted(&first).await.unwrap() && !store.is_blacklisted("one").await.unwrap());
    let again = store.exchange(with_tokens(exchange('a', 0, noon()), "two")).await.unwrap();
    assert_eq!(again, Exchanged::Overtaken);
    let overtaken = Exchange { jti: "another".to_owned(), ..exchange('a', 0, noon()) };
    assert_eq!(store.exchange(with_tokens(overtaken, "three")).await.unwrap(), Exchanged::Overtaken);
    let of_ended = Exchange {
        jti: first.clone(),
        begun: Some(begun(&store, 'd', ada).await),
        ..exchange('d', 0, noon())
    };
    assert_eq!(store.exchange(of_ended).await.unwrap(), Exchanged::Overtaken);
    assert_eq!(store.find_session(&id('d')).await.unwrap(), None, "a blacklisted token begins no session");
    assert_eq!(
        place.rows("SELECT jti FROM token_blacklist_outstandingtoken ORDER BY id"),
        [first.as_str(), "one"]
    );
}

#[tokio::test]
async fn a_token_made_elsewhere_begins_one_session_however_many_exchange_it() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    let account = account(&store, ada).await;
    let foreign = |at| Exchange {
        begun: Some((NewSession { created_at: at, ..new_session('d', ada) }, account.clone())),
        jti: "of django".to_owned(),
        ..exchange('d', 0, at)
    };
    assert_eq!(store.exchange(foreign(after_noon(1))).await.unwrap(), Exchanged::Done);
    assert_eq!(store.exchange(foreign(after_noon(2))).await.unwrap(), Exchanged::Overtaken);
    let session = found(&store, 'd').await;
    assert_eq!((session.generation, session.created_at), (1, after_noon(1)));
    assert_eq!(session.replaced_jti.as_deref(), Some("of django"));
}

#[tokio::test]
async fn no_session_begins_for_an_account_that_has_changed() {
    let changes = [
        UserChange { is_active: Some(false), ..UserChange::default() },
        UserChange { password_hash: Some(PasswordHash::new("another".to_owned())), ..UserChange::default() },
    ];
    for change in changes {
        let Some((_place, store, ada, _)) = with_sessions().await else { return };
        let begun = Some(begun(&store, 'd', ada).await);
        store.update_user(ada, change).await.unwrap();
        let late = Exchange { begun, ..exchange('d', 0, noon()) };
        assert_eq!(store.exchange(late).await.unwrap(), Exchanged::Overtaken);
        assert_eq!(store.find_session(&id('d')).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_session_that_was_blacklisted_can_still_be_ended_for_good() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    for digit in ['a', 'b'] {
        let current = token(&refresh_id(id(digit).as_str(), 0), Some(ada));
        store.blacklist_token(current, Some(id(digit)), after_noon(1)).await.unwrap();
    }
    let end = || store.end_session(id('a'), ada, after_noon(2), EndReason::LoggedOut, refresh_id);
    assert!(end().await.unwrap());
    assert!(!end().await.unwrap());
    let ended = store.end_sessions(ada, ending(after_noon(3)), None).await.unwrap();
    assert_eq!(ended.sessions, 0, "neither was there to be seen");
    assert_eq!(found(&store, 'a').await.ended, Some((after_noon(2), EndReason::LoggedOut)));
    assert_eq!(found(&store, 'b').await.ended, Some((after_noon(3), EndReason::Operator)));
}

#[tokio::test]
async fn a_session_is_ended_once_by_its_user_with_its_recorded_token() {
    let Some((_place, store, ada, bob)) = with_sessions().await else { return };
    let current = refresh_id(id('a').as_str(), 0);
    store.record_token(token(&current, Some(ada))).await.unwrap();
    let end = |user, at, because| store.end_session(id('a'), user, at, because, refresh_id);
    assert!(!end(bob, noon(), EndReason::LoggedOut).await.unwrap(), "it is not Bob's");
    assert!(end(ada, after_noon(1), EndReason::RefreshTokenReused).await.unwrap());
    assert!(!end(ada, after_noon(2), EndReason::LoggedOut).await.unwrap());
    assert_eq!(found(&store, 'a').await.ended, Some((after_noon(1), EndReason::RefreshTokenReused)));
    assert!(store.is_blacklisted(&current).await.unwrap());
}

#[tokio::test]
async fn every_reason_for_an_end_is_read_back() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    for (digit, because) in "012345".chars().zip([
        EndReason::LoggedOut,
        EndReason::Blacklisted,
        EndReason::RefreshTokenReused,
        EndReason::PasswordChanged,
        EndReason::Deactivated,
        EndReason::Operator,
    ]) {
        log_in(&store, ada, &digit.to_string()).await;
        store.end_session(id(digit), ada, noon(), because, refresh_id).await.unwrap();
        assert_eq!(found(&store, digit).await.ended, Some((noon(), because)));
    }
}

#[tokio::test]
async fn all_sessions_of_a_user_end_but_the_one_that_is_kept() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    let kept = refresh_id(id('a').as_str(), 0);
    for jti in [kept.as_str(), "of b", "of django"] {
        store.record_token(token(jti, Some(ada))).await.unwrap();
    }
    let except = Some((id('a'), refresh_id as countersign_store::RefreshId));
    let ended = store.end_sessions(ada, ending(after_noon(1)), except).await.unwrap();
    assert_eq!(ended, Ended { sessions: 1, tokens: 2 });
    assert_eq!(found(&store, 'b').await.ended, Some((after_noon(1), EndReason::Operator)));
    assert!(found(&store, 'a').await.ended.is_none() && found(&store, 'c').await.ended.is_none());
    assert!(!store.is_blacklisted(&kept).await.unwrap() && store.is_blacklisted("of django").await.unwrap());
    let ended = store.end_sessions(ada, ending(after_noon(2)), None).await.unwrap();
    assert_eq!(ended, Ended { sessions: 1, tokens: 1 });
}

#[tokio::test]
async fn the_blacklisting_of_a_sessions_token_ends_it() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    let current = token(&refresh_id(id('a').as_str(), 0), Some(ada));
    store.blacklist_token(current, Some(id('a')), after_noon(1)).await.unwrap();
    assert_eq!(found(&store, 'a').await.ended, Some((after_noon(1), EndReason::Blacklisted)));
    assert!(found(&store, 'b').await.ended.is_none());
}

#[tokio::test]
async fn last_seen_moves_forward_only_and_once_in_a_while() {
    let Some((_place, store, ..)) = with_sessions().await else { return };
    let minute = SignedDuration::from_secs(60);
    let touch = async |seen: &[(char, i64)]| {
        let seen = seen.iter().map(|(name, seconds)| (id(*name), after_noon(*seconds))).collect();
        store.touch_sessions(seen, minute).await.unwrap();
    };
    touch(&[('a', 60)]).await;
    touch(&[('b', 63), ('a', 61), ('f', 62)]).await;
    touch(&[('a', 30), ('b', 30)]).await;
    assert_eq!(found(&store, 'a').await.last_seen_at, after_noon(60), "it was a second since");
    assert_eq!(found(&store, 'b').await.last_seen_at, after_noon(63));
    assert_eq!(found(&store, 'c').await.last_seen_at, noon());
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_seen_any_more() {
    let Some((_place, store, ada, _)) = with_sessions().await else { return };
    let current = token(&refresh_id(id('a').as_str(), 0), Some(ada));
    store.blacklist_token(current, Some(id('a')), after_noon(1)).await.unwrap();
    let seen = vec![(id('a'), after_noon(61))];
    store.touch_sessions(seen, SignedDuration::from_secs(60)).await.unwrap();
    assert_eq!(found(&store, 'a').await.last_seen_at, noon());
}

#[tokio::test]
async fn a_deleted_user_has_no_sessions() {
    let Some((_place, store, ada, bob)) = with_sessions().await else { return };
    store.delete_user(ada).await.unwrap();
    assert_eq!(store.find_session(&id('a')).await.unwrap(), None);
    assert_eq!(ids(&store.list_sessions(bob, noon(), 10).await.unwrap()), "c");
}

#[tokio::test]
async fn a_sweep_goes_round_and_takes_what_expired_or_ended() {
    let Some((place, store, ada, _)) = with_sessions().await else { return };
    for number in 0..35 {
        let sql = format!(
            "INSERT INTO countersign_session
                    (id, user_id, generation, rotated_at, created_at, last_seen_at, expires_at, client)
             VALUES ('{:032x}', 1, 0, 0, 0, 0, {number}, '')",
            u128::MAX / 35 * number
        );
        place.run(&sql);
    }
    store.end_session(id('a'), ada, noon(), EndReason::LoggedOut, refresh_id).await.unwrap();
    assert_eq!(store.count_live_sessions(noon()).await.unwrap(), 2);
    assert_eq!(store.count_live_sessions(after_noon(86_400)).await.unwrap(), 0);
    let mut deleted = 0;
    for _ in 0..4 {
        deleted += store.sweep(noon(), noon()).await.unwrap();
    }
    assert_eq!(deleted, 36, "each row is looked at once in a round");
    assert_eq!(place.rows("SELECT substr(id, 1, 1) FROM countersign_session ORDER BY id"), ["b", "c"]);
    assert_eq!(store.count_expired(noon(), after_noon(86_400)).await.unwrap(), 2);
    assert_eq!(store.flush_sessions(String::new(), after_noon(86_399)).await.unwrap(), (0, None));
    assert_eq!(store.flush_sessions(String::new(), after_noon(86_400)).await.unwrap(), (2, None));
}

#[tokio::test]
async fn a_login_that_is_recorded_once_more_is_recorded() {
    let Some((place, store, ada, _)) = with_sessions().await else { return };
    log_in(&store, ada, "aa").await;
    let sessions = format!("SELECT count(*) FROM countersign_session WHERE id = '{}'", id('a').as_str());
    assert_eq!(place.rows(&sessions), ["1"]);
}
