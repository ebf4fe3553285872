//! The token tables: a token is recorded once, ended once, and replaced by one successor at the most.

use countersign_domain::{PasswordHash, UserId};
use countersign_store::{
    Blacklisting, Ending, NewToken, OutstandingToken, Store, StoreError, TokensOf, UserChange,
};

use super::place::{Place, after_noon, end_tokens_of, ending, flush_tokens, noon, person, token};

async fn with_ada_and_bob() -> Option<(Place, Store, UserId, UserId)> {
    let (place, store) = Place::open().await?;
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(person("bob")).await.unwrap();
    Some((place, store, ada, bob))
}

async fn recorded(store: &Store, jti: &str) -> OutstandingToken {
    store.outstanding_tokens(&TokensOf::Jti(jti.to_owned())).await.unwrap().remove(0)
}

async fn ids_of(store: &Store, user: UserId) -> Vec<String> {
    let tokens = store.outstanding_tokens(&TokensOf::User(user)).await.unwrap();
    tokens.into_iter().map(|token| token.jti).collect()
}

#[tokio::test]
async fn a_recorded_token_is_read_back_and_not_blacklisted() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    store.record_token(token("a", Some(ada))).await.unwrap();
    store.record_token(token("nobody's", None)).await.unwrap();
    let expected = OutstandingToken {
        jti: "a".to_owned(),
        text: "header.a.".to_owned(),
        user: Some(ada),
        created_at: Some(noon()),
        expires_at: after_noon(86_400),
        is_blacklisted: false,
    };
    assert_eq!(recorded(&store, "a").await, expected);
    assert_eq!(recorded(&store, "nobody's").await.user, None);
    assert!(!store.is_blacklisted("a").await.unwrap());
    assert_eq!(store.count_tokens().await.unwrap(), 2);
    assert_eq!(store.outstanding_tokens(&TokensOf::Jti("unknown".to_owned())).await.unwrap(), []);
}

#[tokio::test]
async fn a_second_token_with_the_same_id_leaves_the_first_as_it_is() {
    let Some((_place, store, ada, bob)) = with_ada_and_bob().await else { return };
    store.record_token(token("a", Some(ada))).await.unwrap();
    store.record_token(NewToken { text: "another".to_owned(), ..token("a", Some(bob)) }).await.unwrap();
    assert_eq!(
        (recorded(&store, "a").await.user, recorded(&store, "a").await.text.as_str()),
        (Some(ada), "header.a.")
    );
    assert_eq!(store.count_tokens().await.unwrap(), 1);
}

#[tokio::test]
async fn the_tokens_of_a_user_are_listed_oldest_first() {
    let Some((_place, store, ada, bob)) = with_ada_and_bob().await else { return };
    for (jti, user) in [("z", ada), ("m", bob), ("a", ada)] {
        store.record_token(token(jti, Some(user))).await.unwrap();
    }
    store.record_token(token("nobody's", None)).await.unwrap();
    assert_eq!(ids_of(&store, ada).await, ["z", "a"]);
    assert_eq!(ids_of(&store, bob).await, ["m"]);
}

#[tokio::test]
async fn blacklisting_a_second_time_says_so_and_changes_nothing() {
    let Some((place, store, ada, _)) = with_ada_and_bob().await else { return };
    store.record_token(token("a", Some(ada))).await.unwrap();
    let blacklist = |at| store.blacklist_token(token("a", Some(ada)), None, at);
    assert_eq!(blacklist(after_noon(1)).await.unwrap(), Blacklisting::Done);
    assert_eq!(blacklist(after_noon(2)).await.unwrap(), Blacklisting::Already);
    assert!(store.is_blacklisted("a").await.unwrap());
    assert!(recorded(&store, "a").await.is_blacklisted);
    assert_eq!(
        place.rows("SELECT token_id, blacklisted_at FROM token_blacklist_blacklistedtoken"),
        ["1|2026-01-01 12:00:01"]
    );
}

#[tokio::test]
async fn a_token_that_was_never_recorded_is_recorded_when_it_is_blacklisted() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    assert_eq!(store.blacklist_token(token("a", Some(ada)), None, noon()).await.unwrap(), Blacklisting::Done);
    assert_eq!(
        (recorded(&store, "a").await.user, store.is_blacklisted("a").await.unwrap()),
        (Some(ada), true)
    );
}

#[tokio::test]
async fn a_replaced_token_is_ended_and_its_successor_recorded() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    let replace =
        |successor| store.replace_token(token("old", Some(ada)), token(successor, Some(ada)), noon());
    assert_eq!(replace("new").await.unwrap(), Blacklisting::Done);
    assert_eq!(replace("of a replay").await.unwrap(), Blacklisting::Already);
    assert_eq!(ids_of(&store, ada).await, ["old", "new"], "a replay records nothing");
    assert!(store.is_blacklisted("old").await.unwrap() && !store.is_blacklisted("new").await.unwrap());
}

#[tokio::test]
async fn of_many_who_replace_one_token_at_once_exactly_one_does() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..30 {
        let store = store.clone();
        let successor = token(&format!("successor {number}"), Some(ada));
        callers.spawn(async move { store.replace_token(token("old", Some(ada)), successor, noon()).await });
    }
    let found: Vec<Blacklisting> = callers.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(found.iter().filter(|found| **found == Blacklisting::Done).count(), 1);
    assert_eq!(store.count_tokens().await.unwrap(), 2);
}

#[tokio::test]
async fn all_good_tokens_of_one_user_are_ended_and_counted() {
    let Some((_place, store, ada, bob)) = with_ada_and_bob().await else { return };
    for jti in ["a", "b", "ended before"] {
        store.record_token(token(jti, Some(ada))).await.unwrap();
    }
    store.blacklist_token(token("ended before", Some(ada)), None, noon()).await.unwrap();
    store.record_token(NewToken { expires_at: after_noon(10), ..token("expired", Some(ada)) }).await.unwrap();
    store.record_token(token("of bob", Some(bob))).await.unwrap();
    assert_eq!(end_tokens_of(&store, ada, ending(after_noon(10))).await, 2);
    assert_eq!(end_tokens_of(&store, ada, ending(after_noon(10))).await, 0);
    let ended = async |jti: &str| store.is_blacklisted(jti).await.unwrap();
    for (jti, expected) in
        [("a", true), ("b", true), ("ended before", true), ("expired", false), ("of bob", false)]
    {
        assert_eq!(ended(jti).await, expected, "{jti}");
    }
}

#[tokio::test]
async fn a_flush_removes_what_has_expired_with_its_blacklist_rows() {
    let Some((place, store, ada, _)) = with_ada_and_bob().await else { return };
    for (jti, seconds) in [("before", 9), ("just now", 10), ("after", 11)] {
        let token = NewToken { expires_at: after_noon(seconds), ..token(jti, Some(ada)) };
        store.blacklist_token(token, None, noon()).await.unwrap();
    }
    assert_eq!(flush_tokens(&store, after_noon(10)).await.unwrap(), 2);
    assert_eq!(flush_tokens(&store, after_noon(10)).await.unwrap(), 0);
    assert_eq!(ids_of(&store, ada).await, ["after"]);
    assert_eq!(place.rows("SELECT token_id FROM token_blacklist_blacklistedtoken"), ["3"]);
}

#[tokio::test]
async fn times_are_compared_to_the_microsecond_though_they_are_text() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    let microsecond = jiff::SignedDuration::from_micros(1);
    let expiring = |jti, expires_at| NewToken { expires_at, ..token(jti, Some(ada)) };
    store.record_token(expiring("whole second", noon())).await.unwrap();
    store.record_token(expiring("a microsecond later", noon() + microsecond)).await.unwrap();
    assert_eq!(end_tokens_of(&store, ada, ending(noon())).await, 1, "the later one is still good");
    assert_eq!(flush_tokens(&store, noon() - microsecond).await.unwrap(), 0);
    assert_eq!(flush_tokens(&store, noon()).await.unwrap(), 1);
    assert_eq!(ids_of(&store, ada).await, ["a microsecond later"]);
}

#[tokio::test]
async fn a_login_is_not_recorded_once_the_account_it_was_checked_against_has_changed() {
    let changes = [
        UserChange { password_hash: Some(PasswordHash::new("another".to_owned())), ..UserChange::default() },
        UserChange { is_active: Some(false), ..UserChange::default() },
    ];
    for change in changes {
        let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
        let as_checked = store.find_user(ada).await.unwrap().unwrap();
        assert!(
            store
                .record_login(None, Some(token("before", Some(ada))), &as_checked, Some(noon()))
                .await
                .unwrap()
        );
        store.update_user(ada, change).await.unwrap();
        let late = store
            .record_login(None, Some(token("late", Some(ada))), &as_checked, Some(after_noon(1)))
            .await
            .unwrap();
        assert!(!late, "whoever changed the account has ended its tokens, and could not see this one");
        assert_eq!(ids_of(&store, ada).await, ["before"]);
        assert_eq!(store.find_user(ada).await.unwrap().unwrap().last_login, Some(noon()));
    }
}

#[tokio::test]
async fn a_login_of_a_user_deleted_meanwhile_is_not_recorded() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    let as_checked = store.find_user(ada).await.unwrap().unwrap();
    store.delete_user(ada).await.unwrap();
    assert!(!store.record_login(None, Some(token("late", Some(ada))), &as_checked, None).await.unwrap());
    assert_eq!(store.count_tokens().await.unwrap(), 0);
}

#[tokio::test]
async fn a_token_that_expired_can_be_ended_while_it_may_yet_be_refreshed() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    store.record_token(NewToken { expires_at: after_noon(10), ..token("sliding", Some(ada)) }).await.unwrap();
    let ending = Ending { at: after_noon(60), ..ending(noon()) };
    assert_eq!(end_tokens_of(&store, ada, ending).await, 1);
    assert!(store.is_blacklisted("sliding").await.unwrap());
}

#[tokio::test]
async fn a_token_that_was_ended_gets_no_successor() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    let succeed = |jti| store.record_successor("old".to_owned(), token(jti, Some(ada)));
    assert!(succeed("first").await.unwrap(), "the old one was never recorded");
    assert!(succeed("second").await.unwrap(), "nor ended by its first successor");
    store.blacklist_token(token("old", Some(ada)), None, noon()).await.unwrap();
    assert!(!succeed("third").await.unwrap());
    assert_eq!(ids_of(&store, ada).await, ["first", "second", "old"]);
}

#[tokio::test]
async fn a_long_flush_lets_others_write_between_and_misses_nothing() {
    let Some((place, store, ada, _)) = with_ada_and_bob().await else { return };
    place.run(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
             INSERT INTO token_blacklist_outstandingtoken (token, expires_at, jti)
             SELECT '', '2026-01-01', CAST(i AS TEXT) FROM n;
             UPDATE token_blacklist_outstandingtoken SET expires_at = '2026-01-02' WHERE id % 5 = 0",
    );
    store.blacklist_token(token("good", Some(ada)), None, noon()).await.unwrap();
    assert_eq!(flush_tokens(&store, noon()).await.unwrap(), 2000);
    assert_eq!(store.count_tokens().await.unwrap(), 501);
    assert!(store.is_blacklisted("good").await.unwrap());
}

#[tokio::test]
async fn sweeping_with_each_recording_bounds_the_table_even_behind_tokens_that_live_long() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    for number in 0..25 {
        store.record_token(token(&format!("long-lived {number}"), Some(ada))).await.unwrap();
    }
    for number in 0..200 {
        let expires_at = after_noon(number + 1);
        store
            .blacklist_token(NewToken { expires_at, ..token(&number.to_string(), Some(ada)) }, None, noon())
            .await
            .unwrap();
        store.sweep(noon(), after_noon(number)).await.unwrap();
        let count = store.count_tokens().await.unwrap();
        assert!(count <= 25 + 10, "{count} tokens are recorded, of which 26 are good");
    }
    flush_tokens(&store, after_noon(1000)).await.unwrap();
    assert_eq!(ids_of(&store, ada).await.len(), 25, "what is good is never swept");
}

#[tokio::test]
async fn tokens_that_another_application_refers_to_are_not_deleted_under_it() {
    let Some((place, store, ada, _)) = with_ada_and_bob().await else { return };
    store.record_token(token("a", Some(ada))).await.unwrap();
    place.run(
            "CREATE TABLE device (token_id bigint REFERENCES token_blacklist_outstandingtoken (id) DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO device VALUES (1)",
        );
    for refused in
        [flush_tokens(&store, after_noon(100_000)).await, store.sweep(noon(), after_noon(100_000)).await]
    {
        assert!(
            matches!(&refused, Err(StoreError::TokensReferenced(table)) if table == "device"),
            "{refused:?}"
        );
    }
    assert_eq!(store.count_tokens().await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_printed_of_a_token_is_not_its_text() {
    let Some((_place, store, ada, _)) = with_ada_and_bob().await else { return };
    let new = NewToken { text: "secret".to_owned(), ..token("a", Some(ada)) };
    let printed = format!("{new:?}");
    store.record_token(new).await.unwrap();
    let printed = printed + &format!("{:?}", recorded(&store, "a").await);
    assert!(printed.contains("\"a\"") && !printed.contains("secret"), "{printed}");
}
