//! Events: each is there if and only if its act was done, they are one chain, and what was changed of it is found.

use countersign_domain::{
    Actor, Client, EndReason, Event, EventKind, PasswordHash, RefusedRequest, SessionId, UserId,
};
use countersign_store::{Break, KeyState, NewSession, Store, StoredEvent, StoredKey, UserChange};
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::place::{Place, after_noon, ending, noon, person, token};

fn event(kind: EventKind) -> Event {
    let client = Client::new(Some("192.0.2.1".to_owned()), "a browser");
    let named = Event { name: Some("ada".to_owned()), client, ..Event::new(kind, Actor::User, noon()) };
    Event { request_id: Some("a-request".to_owned()), ..named }
}

fn session(id: &str, user: UserId) -> NewSession {
    let id = SessionId::parse(id).unwrap();
    let client = Client::default();
    NewSession { id, user, created_at: noon(), expires_at: after_noon(60), client }
}

fn refresh_id(session: &str, generation: u32) -> String {
    format!("{session}/{generation}")
}

/// All that are linked, once those that wait for it are.
async fn events(store: &Store) -> Vec<StoredEvent> {
    store.link_events(noon()).await.unwrap();
    assert_eq!(store.waiting_events(1).await.unwrap(), []);
    store.events_after(0, 1000).await.unwrap()
}

async fn kinds(store: &Store) -> Vec<String> {
    events(store).await.into_iter().map(|event| event.kind).collect()
}

async fn breaks(store: &Store) -> Vec<Break> {
    store.verify_events(None).await.unwrap().breaks
}

async fn log_in(store: &Store, user: UserId, id: &str) -> bool {
    let checked = store.find_user(user).await.unwrap().unwrap();
    let about = event(EventKind::Login).about(&checked);
    store.noting(about).record_login(Some(session(id, user)), None, &checked, None).await.unwrap()
}

/// Ada has logged in this often, and all of that is linked in its order.
async fn with_logins(count: usize) -> Option<(Place, Store, UserId)> {
    let (place, store) = Place::open().await?;
    let ada = store.noting(event(EventKind::UserCreated)).insert_user(person("ada")).await.unwrap();
    store.link_events(noon()).await.unwrap();
    for number in 0..count {
        assert!(log_in(&store, ada, &format!("{number:032x}")).await);
        store.link_events(noon()).await.unwrap();
    }
    assert_eq!(events(&store).await.len(), count + 1);
    Some((place, store, ada))
}

#[tokio::test]
async fn a_login_is_an_event_with_who_when_where_and_the_session() {
    let Some((_place, store, ada)) = with_logins(1).await else { return };
    let all = events(&store).await;
    let [made, login] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((made.kind.as_str(), made.user.clone()), ("user_created", Some(ada.to_string())));
    assert_eq!((login.kind.as_str(), login.actor.as_str(), login.at), ("login", "user", noon()));
    assert_eq!((login.position, login.user.clone()), (Some(2), Some(ada.to_string())));
    assert_eq!(login.request_id.as_deref(), Some("a-request"));
    assert_eq!(login.details, format!("{{\"session\":\"{:032x}\"}}", 0));
    let personal = login.personal.as_deref().unwrap();
    assert!(personal.ends_with(r#""name":"ada","address":"192.0.2.1","client":"a browser"}"#), "{personal}");
    let verified = store.verify_events(None).await.unwrap();
    assert_eq!((verified.events, verified.erased, verified.breaks), (2, 0, Vec::new()));
    assert_eq!(verified.last, (2, login.hash.clone().unwrap()));
}

#[tokio::test]
async fn events_are_counted_by_kind_from_a_position_on() {
    let Some((_place, store, _)) = with_logins(3).await else { return };
    assert_eq!(store.last_event_position().await.unwrap(), 4);
    let mut counted = store.count_events_after(0).await.unwrap();
    counted.sort();
    assert_eq!(counted, [("login".to_owned(), 3, 4), ("user_created".to_owned(), 1, 1)]);
    assert_eq!(store.count_events_after(3).await.unwrap(), [("login".to_owned(), 1, 4)]);
    assert_eq!(store.count_events_after(4).await.unwrap(), []);
}

#[tokio::test]
async fn an_act_that_is_not_done_leaves_no_event() {
    let Some((_place, store, ada)) = with_logins(0).await else { return };
    let noted = |kind| store.noting(event(kind));
    let stale = store.find_user(ada).await.unwrap().unwrap();
    let hash = Some(PasswordHash::new("another".to_owned()));
    let change = UserChange { password_hash: hash, ..UserChange::default() };
    assert!(store.update_user(ada, change.clone()).await.unwrap());
    let (old, nobody) = (session(&"a".repeat(32), ada), UserId::new(999));
    for last_login in [None, Some(noon())] {
        let login = noted(EventKind::Login);
        assert!(!login.record_login(Some(old.clone()), None, &stale, last_login).await.unwrap());
    }
    assert!(noted(EventKind::UserCreated).insert_user(person("ada")).await.is_err());
    let ends = (old.id.clone(), EndReason::LoggedOut);
    assert!(
        !noted(EventKind::SessionEnded).end_session(ends.0, ada, noon(), ends.1, refresh_id).await.unwrap()
    );
    assert!(!noted(EventKind::UserChanged).update_user(nobody, change.clone()).await.unwrap());
    let changed = noted(EventKind::PasswordChanged);
    assert!(!changed.update_user_and_end_sessions(nobody, change, ending(noon())).await.unwrap());
    assert!(!noted(EventKind::UserDeleted).delete_user_and_end_tokens(nobody, ending(noon())).await.unwrap());
    store.blacklist_token(token("one", Some(ada)), None, noon()).await.unwrap();
    noted(EventKind::SessionEnded).blacklist_token(token("one", Some(ada)), None, noon()).await.unwrap();
    let retired = noted(EventKind::KeyRetired);
    assert!(!retired.retire_key("none".to_owned(), KeyState::Verifying, noon()).await.unwrap());
    assert_eq!(kinds(&store).await, ["user_created"]);
}

#[tokio::test]
async fn an_act_whose_event_cannot_be_written_is_not_done() {
    let Some((place, store, ada)) = with_logins(0).await else { return };
    place.run("ALTER TABLE countersign_event RENAME TO gone");
    let checked = store.find_user(ada).await.unwrap().unwrap();
    let noted = |kind| store.noting(event(kind));
    for last_login in [None, Some(noon())] {
        let session = session(&"a".repeat(32), ada);
        let login = noted(EventKind::Login).record_login(Some(session), None, &checked, last_login).await;
        assert!(login.is_err(), "{login:?}");
    }
    assert!(noted(EventKind::UserCreated).insert_user(person("bob")).await.is_err());
    let change = UserChange { is_active: Some(false), ..UserChange::default() };
    let changed = noted(EventKind::UserChanged);
    assert!(changed.update_user_and_end_sessions(ada, change, ending(noon())).await.is_err());
    assert_eq!(place.rows("SELECT count(*) FROM countersign_session"), ["0"]);
    assert_eq!(place.rows("SELECT username, is_active FROM auth_user"), ["ada|1"]);
}

#[tokio::test]
async fn each_act_leaves_one_event_and_the_end_of_sessions_says_which() {
    let Some((_place, store, ada)) = with_logins(4).await else { return };
    let noted = |kind| store.noting(event(kind));
    let id = |number: u32| SessionId::parse(&format!("{number:032x}")).unwrap();
    let because = EndReason::LoggedOut;
    assert!(
        noted(EventKind::SessionEnded).end_session(id(0), ada, noon(), because, refresh_id).await.unwrap()
    );
    let (one, at) = (token("one", Some(ada)), noon());
    noted(EventKind::SessionEnded).blacklist_token(one, Some(id(1)), at).await.unwrap();
    let except = Some((id(3), refresh_id as countersign_store::RefreshId));
    noted(EventKind::SessionEnded).end_sessions(ada, ending(noon()), except).await.unwrap();
    let change = UserChange { is_active: Some(true), ..UserChange::default() };
    assert!(noted(EventKind::UserChanged).update_user(ada, change.clone()).await.unwrap());
    let changed = noted(EventKind::PasswordChanged);
    assert!(changed.update_user_and_end_sessions(ada, change, ending(noon())).await.unwrap());
    let key = StoredKey {
        kid: "a-key".to_owned(),
        algorithm: "ES256".to_owned(),
        state: KeyState::Next,
        sealed: None,
        created_at: noon(),
        changed_at: noon(),
    };
    assert!(noted(EventKind::KeyMade).insert_key(key).await.unwrap());
    let deleted = store.noting(Event { user: Some(ada), ..event(EventKind::UserDeleted).impersonal() });
    assert!(deleted.delete_user_and_end_tokens(ada, ending(noon())).await.unwrap());
    let told: Vec<_> = events(&store).await.into_iter().skip(5).map(|e| (e.kind, e.details)).collect();
    let named = |number| id(number).to_string();
    let expected = [
        ("session_ended", format!("{{\"session\":\"{}\"}}", named(0))),
        ("session_ended", format!("{{\"session\":\"{}\"}}", named(1))),
        ("session_ended", format!("{{\"ended\":\"1\",\"sessions\":\"{}\"}}", named(2))),
        ("user_changed", "{}".to_owned()),
        ("password_changed", format!("{{\"ended\":\"1\",\"sessions\":\"{}\"}}", named(3))),
        ("key_made", "{}".to_owned()),
        ("user_deleted", "{}".to_owned()),
    ];
    assert_eq!(told.len(), expected.len());
    for event in expected {
        assert!(told.contains(&(event.0.to_owned(), event.1.clone())), "{event:?} is not in {told:#?}");
    }
    assert_eq!(breaks(&store).await, []);
}

#[tokio::test]
async fn an_event_that_was_changed_is_named_and_no_other() {
    let Some((place, store, _)) = with_logins(4).await else { return };
    let all = events(&store).await;
    let third = &all[2];
    let restore = |column: &str| match column {
        "at" => third.at.as_microsecond().to_string(),
        "kind" => "'login'".to_owned(),
        "actor" => "'user'".to_owned(),
        "subject" => format!("'{}'", third.user.clone().unwrap()),
        "request_id" => "'a-request'".to_owned(),
        "details" => format!("'{}'", third.details),
        "commitment" => format!("'{}'", third.commitment.clone().unwrap()),
        "hash" => format!("'{}'", third.hash.clone().unwrap()),
        other => panic!("{other}"),
    };
    let set = |column: &str, value: &str| {
        place.run(&format!("UPDATE countersign_event SET {column} = {value} WHERE position = 3"));
    };
    let changed = || Break::Changed(3, third.id.clone());
    for (column, value) in [
        ("at", "1"),
        ("kind", "'logout'"),
        ("actor", "'operator'"),
        ("subject", "'999'"),
        ("subject", "NULL"),
        ("request_id", "'another'"),
        ("details", "'{}'"),
    ] {
        set(column, value);
        assert_eq!(breaks(&store).await, [changed()], "{column}");
        set(column, &restore(column));
        assert_eq!(breaks(&store).await, [], "{column}");
    }
    set("commitment", "'another'");
    assert_eq!(breaks(&store).await, [changed(), Break::PersonalChanged(3, third.id.clone())]);
    set("commitment", &restore("commitment"));
    set("hash", "'another'");
    assert_eq!(breaks(&store).await, [changed(), Break::Changed(4, all[3].id.clone())]);
    set("hash", &restore("hash"));
    set("personal", "'{}'");
    assert_eq!(breaks(&store).await, [Break::PersonalChanged(3, third.id.clone())]);
}

#[tokio::test]
async fn events_that_were_deleted_are_named_wherever_they_stood() {
    for (gone, expected) in [
        ("position = 1", Break::Missing(1, 1)),
        ("position BETWEEN 2 AND 3", Break::Missing(2, 3)),
        ("position >= 4", Break::Missing(4, 5)),
        ("true", Break::Missing(1, 5)),
    ] {
        let Some((place, store, _)) = with_logins(4).await else { return };
        place.run(&format!("DELETE FROM countersign_event WHERE {gone}"));
        assert_eq!(breaks(&store).await, [expected], "{gone}");
    }
}

#[tokio::test]
async fn two_events_that_changed_places_and_a_moved_end_are_found() {
    let Some((place, store, _)) = with_logins(4).await else { return };
    let all = events(&store).await;
    place.run(
        "UPDATE countersign_event SET position = -2 WHERE position = 2;
         UPDATE countersign_event SET position = 2 WHERE position = 3;
         UPDATE countersign_event SET position = 3 WHERE position = -2",
    );
    let found = breaks(&store).await;
    assert!(found.contains(&Break::Changed(2, all[2].id.clone())), "{found:?}");
    assert!(found.contains(&Break::Changed(3, all[1].id.clone())), "{found:?}");
    let Some((place, store, _)) = with_logins(1).await else { return };
    place.run("UPDATE countersign_event_chain SET last_hash = 'another'");
    assert_eq!(breaks(&store).await, [Break::End]);
}

#[tokio::test]
async fn an_end_that_was_noted_tells_of_a_chain_that_was_made_anew() {
    let Some((place, store, _)) = with_logins(2).await else { return };
    let noted = store.verify_events(None).await.unwrap().last;
    let with_noted = async |noted: (i64, String)| store.verify_events(Some(noted)).await.unwrap().breaks;
    assert_eq!(with_noted(noted.clone()).await, []);
    place.run("DELETE FROM countersign_event WHERE position = 3");
    place.run(
        "UPDATE countersign_event_chain SET last_position = 2,
                last_hash = (SELECT hash FROM countersign_event WHERE position = 2)",
    );
    assert_eq!(breaks(&store).await, [], "whoever writes the tables can make a whole chain");
    assert_eq!(with_noted(noted.clone()).await, [Break::NotAsNoted(3)]);
    store.record_events(vec![event(EventKind::ServerStarted)]).await.unwrap();
    assert_eq!(events(&store).await.len(), 3);
    assert_eq!(breaks(&store).await, []);
    assert_eq!(with_noted(noted).await, [Break::NotAsNoted(3)]);
}

#[tokio::test]
async fn personal_data_are_erased_and_the_chain_stays_whole() {
    let Some((place, store, ada)) = with_logins(2).await else { return };
    let bob = store.noting(event(EventKind::UserCreated)).insert_user(person("bob")).await.unwrap();
    store.link_events(noon()).await.unwrap();
    let erased = Event { user: Some(ada), ..event(EventKind::PersonalDataErased).impersonal() };
    assert_eq!(store.noting(erased).erase_personal_data(ada).await.unwrap(), 3);
    let all = events(&store).await;
    let of = |user: UserId| all.iter().filter(move |event| event.is_about(user));
    let mut before = of(ada).filter(|event| event.kind != "personal_data_erased");
    assert!(before.all(|event| event.is_erased() && event.commitment.is_some()));
    assert!(of(bob).all(|event| event.personal.is_some()), "another's are left");
    assert_eq!(all.last().unwrap().details, r#"{"events":"3"}"#);
    let verified = store.verify_events(None).await.unwrap();
    assert_eq!((verified.events, verified.erased, verified.breaks), (5, 3, Vec::new()));
    assert_eq!(place.rows("SELECT count(*) FROM countersign_event WHERE personal LIKE '%192.0.2.1%'"), ["1"]);
    let deleted = Event { user: Some(bob), ..event(EventKind::UserDeleted).impersonal() };
    assert!(store.noting(deleted).delete_user_and_end_tokens(bob, ending(noon())).await.unwrap());
    assert_eq!(place.rows("SELECT count(*) FROM countersign_event WHERE personal IS NOT NULL"), ["0"]);
    assert_eq!(breaks(&store).await, [], "a deleted user's are gone with the user");
}

#[tokio::test]
async fn personal_data_that_are_gone_without_an_event_that_says_so_are_found() {
    let Some((place, store, ada)) = with_logins(2).await else { return };
    let erase = |position: i64| {
        place.run(&format!("UPDATE countersign_event SET personal = NULL WHERE position = {position}"));
    };
    erase(2);
    let id = |all: &[StoredEvent], position: usize| all[position - 1].id.clone();
    let all = events(&store).await;
    assert_eq!(breaks(&store).await, [Break::PersonalMissing(2, id(&all, 2))]);
    let erased = event(EventKind::PersonalDataErased).impersonal();
    let erased = |at: Timestamp| Event { user: Some(ada), at, ..erased.clone() };
    store.record_events(vec![erased(after_noon(-300))]).await.unwrap();
    assert_eq!(breaks(&store).await, [Break::PersonalMissing(2, id(&all, 2))], "that was before");
    store.noting(erased(noon())).erase_personal_data(ada).await.unwrap();
    assert_eq!(breaks(&store).await, [], "whether it is linked yet or not");
    store.link_events(noon()).await.unwrap();
    store.record_events(vec![event(EventKind::ServerStarted)]).await.unwrap();
    let all = events(&store).await;
    assert_eq!(breaks(&store).await, []);
    erase(6);
    assert_eq!(breaks(&store).await, [Break::PersonalMissing(6, id(&all, 6))], "nobody's are erased");
}

#[tokio::test]
async fn events_outside_the_chain_are_told_and_keep_nobody_from_linking() {
    let put = |id: &str, position: &str| {
        let hash = if position == "NULL" { "NULL" } else { "'none'" };
        format!(
            "INSERT INTO countersign_event (id, position, hash, at, kind, actor, details)
             VALUES ('{id}', {position}, {hash}, 0, 'login', 'user', '{{}}')"
        )
    };
    let Some((place, store, ada)) = with_logins(2).await else { return };
    for (id, position) in [("a", "4"), ("b", "9223372036854775807"), ("c", "0")] {
        place.run(&put(id, position));
    }
    assert_eq!(breaks(&store).await, [Break::Outside(3)]);
    assert!(log_in(&store, ada, &format!("{:032x}", 77)).await);
    let all = events(&store).await;
    assert_eq!(all.len(), 7, "those that stood beyond the end have been linked");
    let says_so = all.iter().find(|event| event.kind == "events_linked_anew").unwrap();
    assert_eq!((says_so.details.as_str(), says_so.at), (r#"{"events":"2","after":"3"}"#, noon()));
    let (linked_anew, before) = (Break::LinkedAnew(says_so.position.unwrap()), Break::Outside(1));
    assert_eq!(breaks(&store).await, [linked_anew, before]);
}

#[tokio::test]
async fn an_end_that_is_set_back_does_not_pass_unseen_when_what_follows_is_linked_anew() {
    let Some((place, store, ada)) = with_logins(4).await else { return };
    place.run("UPDATE countersign_event SET kind = 'user_changed' WHERE position = 4");
    place.run(
        "UPDATE countersign_event_chain SET last_position = 3,
                last_hash = (SELECT hash FROM countersign_event WHERE position = 3)",
    );
    assert!(log_in(&store, ada, &format!("{:032x}", 77)).await);
    let all = events(&store).await;
    let says_so = all.iter().find(|event| event.kind == "events_linked_anew").unwrap();
    assert_eq!(says_so.details, r#"{"events":"2","after":"3"}"#);
    assert_eq!(breaks(&store).await, [Break::LinkedAnew(says_so.position.unwrap())]);
    let noted = Some(store.verify_events(None).await.unwrap().last);
    assert_eq!(
        store.verify_events(noted).await.unwrap().breaks,
        [],
        "who has noted the end since has seen it"
    );
}

#[tokio::test]
async fn what_is_noted_of_a_user_who_was_deleted_meanwhile_has_nothing_personal() {
    let Some((place, store, ada)) = with_logins(0).await else { return };
    let late = Event { user: Some(ada), ..event(EventKind::LoginFailed) };
    store.record_events(vec![late.clone()]).await.unwrap();
    assert!(events(&store).await[1].personal.is_some());
    let deleted = Event { user: Some(ada), ..event(EventKind::UserDeleted).impersonal() };
    assert!(store.noting(deleted).delete_user_and_end_tokens(ada, ending(noon())).await.unwrap());
    store.record_events(vec![late]).await.unwrap();
    assert_eq!(events(&store).await.len(), 4);
    assert_eq!(place.rows("SELECT count(*) FROM countersign_event WHERE personal IS NOT NULL"), ["0"]);
    assert_eq!(breaks(&store).await, []);
}

#[tokio::test]
async fn the_oldest_events_go_by_age_or_number_and_the_rest_is_a_chain() {
    let Some((_place, store)) = Place::open().await else { return };
    let at = |second: i64| Event { at: after_noon(second), ..event(EventKind::Login) };
    for second in 0..10 {
        store.record_events(vec![at(second)]).await.unwrap();
        store.link_events(noon()).await.unwrap();
    }
    let positions = async || {
        let events = store.events_after(0, 100).await.unwrap();
        (events[0].position.unwrap(), events.len())
    };
    let [never, keep_all] = [Timestamp::MIN.as_microsecond(), i64::MAX];
    let never = Timestamp::from_microsecond(never).unwrap();
    assert_eq!(store.delete_old_events(never, keep_all).await.unwrap(), 0);
    assert_eq!(store.delete_old_events(after_noon(3), keep_all).await.unwrap(), 3);
    assert_eq!(positions().await, (4, 7));
    assert_eq!(store.delete_old_events(never, 5).await.unwrap(), 2);
    assert_eq!(positions().await, (6, 5));
    let verified = store.verify_events(None).await.unwrap();
    assert_eq!((verified.deleted, verified.events, verified.breaks), (5, 5, Vec::new()));
    assert_eq!(store.delete_old_events(after_noon(99), keep_all).await.unwrap(), 5, "all of them");
    store.record_events(vec![at(100)]).await.unwrap();
    store.link_events(noon()).await.unwrap();
    assert_eq!(positions().await, (11, 1));
    assert_eq!(breaks(&store).await, []);
}

/// One event at each of these seconds, in this order.
async fn with_times(seconds: &[i64]) -> Option<(Place, Store)> {
    let (place, store) = Place::open().await?;
    for second in seconds {
        let event = Event { at: after_noon(*second), ..event(EventKind::Login) };
        store.record_events(vec![event]).await.unwrap();
        store.link_events(noon()).await.unwrap();
    }
    Some((place, store))
}

const YEAR: i64 = 365 * 24 * 60 * 60;

#[tokio::test]
async fn an_event_of_a_clock_that_was_ahead_keeps_none_after_it() {
    for seconds in [[YEAR, 1, 2, 3, 4, 5], [1, 2, YEAR, 3, 4, 5], [1, YEAR, YEAR, 3, 4, 5]] {
        let Some((_place, store)) = with_times(&seconds).await else { return };
        assert_eq!(store.delete_old_events(after_noon(5), i64::MAX).await.unwrap(), 5, "{seconds:?}");
        assert_eq!(events(&store).await[0].at, after_noon(5));
        assert_eq!(breaks(&store).await, []);
    }
}

#[tokio::test]
async fn an_event_of_a_clock_that_was_behind_takes_none_before_it_along_and_stops_nothing() {
    let Some((_place, store)) = with_times(&[11, 12, 13, -YEAR, 14, 15, 16, 17, 18, 19]).await else {
        return;
    };
    assert_eq!(store.delete_old_events(after_noon(5), i64::MAX).await.unwrap(), 0);
    assert_eq!(store.delete_old_events(after_noon(14), i64::MAX).await.unwrap(), 4);
    let Some((_place, store)) = with_times(&[-YEAR, 11, 12, 13]).await else { return };
    assert_eq!(store.delete_old_events(after_noon(13), i64::MAX).await.unwrap(), 3);
    assert_eq!(breaks(&store).await, []);
}

#[tokio::test]
async fn events_outside_the_chain_neither_stop_retention_nor_lead_it_past_the_end() {
    let Some((place, store)) = with_times(&[1, 2, 3]).await else { return };
    assert_eq!(store.delete_old_events(after_noon(2), i64::MAX).await.unwrap(), 1);
    let put = |id: &str, position: i64| {
        place.run(&format!(
            "INSERT INTO countersign_event (id, position, hash, at, kind, actor, details)
             VALUES ('{id}', {position}, 'none', 0, 'login', 'user', '{{}}')"
        ));
    };
    put("before", 1);
    put("beyond", 9);
    assert_eq!(store.delete_old_events(after_noon(3), i64::MAX).await.unwrap(), 2, "and what stood before");
    assert_eq!(store.delete_old_events(after_noon(9), i64::MAX).await.unwrap(), 1);
    let verified = store.verify_events(None).await.unwrap();
    assert_eq!((verified.deleted, verified.breaks), (3, vec![Break::Outside(1)]));
}

#[tokio::test]
async fn a_noted_event_that_is_deleted_is_told_and_the_last_of_those_still_proves_something() {
    let Some((place, store, _)) = with_logins(4).await else { return };
    let noted: Vec<_> = events(&store)
        .await
        .into_iter()
        .map(|event| (event.position.unwrap(), event.hash.unwrap()))
        .collect();
    assert_eq!(store.delete_old_events(noon(), 3).await.unwrap(), 2);
    let with_noted = async |noted: (i64, String)| store.verify_events(Some(noted)).await.unwrap().breaks;
    assert_eq!(breaks(&store).await, []);
    assert_eq!(with_noted(noted[0].clone()).await, [Break::NotedIsDeleted(1)]);
    assert_eq!(with_noted(noted[1].clone()).await, [], "the rest goes on from it");
    assert_eq!(with_noted((2, "another".to_owned())).await, [Break::NotAsNoted(2)]);
    assert_eq!(with_noted(noted[2].clone()).await, []);
    for sql in [
        "UPDATE countersign_event_chain SET deleted_position = last_position, deleted_hash = last_hash",
        "DELETE FROM countersign_event",
    ] {
        place.run(sql);
    }
    assert_eq!(
        with_noted(noted[4].clone()).await,
        [Break::NotedIsDeleted(5)],
        "there is nothing that goes on"
    );
}

#[tokio::test]
async fn a_beginning_that_goes_on_its_own_is_found_after_some_were_deleted_too() {
    let Some((place, store, _)) = with_logins(4).await else { return };
    assert_eq!(store.delete_old_events(noon(), 3).await.unwrap(), 2);
    place.run("DELETE FROM countersign_event WHERE position = 3");
    assert_eq!(breaks(&store).await, [Break::Missing(3, 3)]);
}

#[tokio::test]
async fn what_is_written_at_once_is_one_chain() {
    let Some((_place, store, ada)) = with_logins(0).await else { return };
    let mut logins = JoinSet::new();
    for number in 1..=40_u32 {
        let store = store.clone();
        logins.spawn(async move {
            assert!(log_in(&store, ada, &format!("{number:032x}")).await);
            if number % 4 == 0 {
                store.link_events(noon()).await.unwrap();
            }
        });
    }
    while let Some(done) = logins.join_next().await {
        done.unwrap();
    }
    assert_eq!(events(&store).await.len(), 41);
    let verified = store.verify_events(None).await.unwrap();
    assert_eq!((verified.events, verified.breaks), (41, Vec::new()));
}

#[tokio::test]
async fn refusals_are_found_by_the_name_of_the_request_and_the_oldest_go() {
    let Some((place, store)) = Place::open().await else { return };
    let refusal = |second: i64, name: &str| RefusedRequest {
        at: after_noon(second),
        request_id: name.to_owned(),
        details: vec![("code".to_owned(), "token_not_valid".to_owned()), ("key".to_owned(), "k".to_owned())],
    };
    let of = async |name: &str| store.refusals_of(name).await.unwrap();
    assert_eq!(of("one").await, []);
    store.record_refusals(vec![refusal(0, "one"), refusal(1, "two"), refusal(2, "one")], 3).await.unwrap();
    assert_eq!(of("one").await, [refusal(2, "one"), refusal(0, "one")]);
    store.record_refusals(vec![refusal(3, "three")], 3).await.unwrap();
    assert_eq!(of("one").await, [refusal(2, "one")]);
    assert_eq!(of("three").await, [refusal(3, "three")]);
    assert_eq!(place.rows("SELECT count(*) FROM countersign_refusal"), ["3"]);
}
