//! What a token names, looked up at once: each part by itself, and all of them at the same moment.

use countersign_domain::{Client, SessionId, User, UserId};
use countersign_store::{Held, Named, NamedUser, NewSession, Store};
use tokio::task::JoinSet;

use super::place::{Place, after_noon, noon, person, token};

fn id(digit: char) -> SessionId {
    SessionId::parse(&digit.to_string().repeat(32)).unwrap()
}

/// Ada with the session `a`, and Bob with `b`; the token `over` is blacklisted.
async fn with_ada_and_bob() -> Option<(Place, Store, User)> {
    let (place, store) = Place::open().await?;
    let mut users = Vec::new();
    for (name, digit) in [("ada", 'a'), ("bob", 'b')] {
        let user = store.insert_user(person(name)).await.unwrap();
        let user = store.find_user(user).await.unwrap().unwrap();
        let client = Client::new(Some("192.0.2.1".to_owned()), "a browser");
        let (created_at, expires_at) = (noon(), after_noon(60));
        let session = NewSession { id: id(digit), user: user.id, created_at, expires_at, client };
        assert!(store.record_login(Some(session), None, &user, None).await.unwrap());
        users.push(user);
    }
    store.blacklist_token(token("over", None), None, noon()).await.unwrap();
    store.record_token(token("good", None)).await.unwrap();
    Some((place, store, users.swap_remove(0)))
}

#[tokio::test]
async fn what_a_token_names_is_found_at_once() {
    let Some((_place, store, ada)) = with_ada_and_bob().await else { return };
    let session = store.find_session(&id('a')).await.unwrap();
    for user in [NamedUser::Id(ada.id), NamedUser::Username("ada".to_owned())] {
        for (jti, is_blacklisted) in [("over", true), ("good", false), ("unheard of", false)] {
            let named = Named { user: Some(user.clone()), session: Some(id('a')), jti: Some(jti.to_owned()) };
            let expected = Held { user: Some(ada.clone()), session: session.clone(), is_blacklisted };
            assert_eq!(store.find_held(named).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn each_part_of_what_a_token_names_may_be_missing() {
    let Some((_place, store, ada)) = with_ada_and_bob().await else { return };
    let session = store.find_session(&id('a')).await.unwrap();
    let by_id = Some(NamedUser::Id(ada.id));
    let nobody = [
        Some(NamedUser::Id(UserId::new(4711))),
        Some(NamedUser::Id(UserId::new(i64::MAX))),
        Some(NamedUser::Username("Ada".to_owned())),
        Some(NamedUser::Username(String::new())),
        None,
    ];
    for user in nobody {
        let named = Named { user, session: Some(id('a')), jti: None };
        let found = store.find_held(named).await.unwrap();
        assert_eq!(found, Held { user: None, session: session.clone(), is_blacklisted: false });
    }
    for session in [Some(id('f')), None] {
        let named = Named { user: by_id.clone(), session, jti: Some("over".to_owned()) };
        let found = store.find_held(named).await.unwrap();
        assert_eq!(found, Held { user: Some(ada.clone()), session: None, is_blacklisted: true });
    }
    assert_eq!(store.find_held(Named::default()).await.unwrap(), Held::default());
}

#[tokio::test]
async fn the_session_of_somebody_else_is_found_as_it_is() {
    let Some((_place, store, ada)) = with_ada_and_bob().await else { return };
    let named = Named { user: Some(NamedUser::Id(ada.id)), session: Some(id('b')), jti: None };
    let found = store.find_held(named).await.unwrap();
    assert_ne!(found.session.unwrap().user, found.user.unwrap().id);
}

#[tokio::test]
async fn each_of_many_who_ask_at_once_is_told_of_what_was_asked() {
    let Some((_place, store, ada)) = with_ada_and_bob().await else { return };
    let bob = store.find_user_by_username("bob").await.unwrap().unwrap();
    let (of_ada, of_bob) =
        (store.find_session(&id('a')).await.unwrap(), store.find_session(&id('b')).await.unwrap());
    let users = [(ada.id, Some(ada)), (bob.id, Some(bob)), (UserId::new(4711), None)];
    let sessions = [(id('a'), of_ada), (id('b'), of_bob), (id('f'), None)];
    let mut asking = JoinSet::new();
    for (number, jti) in ["over", "good", "unheard of", "over"].into_iter().cycle().take(36).enumerate() {
        let (user, found_user) = users[number % 3].clone();
        let (session, found_session) = sessions[number / 3 % 3].clone();
        let named =
            Named { user: Some(NamedUser::Id(user)), session: Some(session), jti: Some(jti.to_owned()) };
        let expected = Held { user: found_user, session: found_session, is_blacklisted: jti == "over" };
        let store = store.clone();
        asking.spawn(async move { assert_eq!(store.find_held(named).await.unwrap(), expected) });
    }
    asking.join_all().await;
}
