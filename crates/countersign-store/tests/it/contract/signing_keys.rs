//! The key ring: one key signs, one is next, and of two operators who change it at once one is told so.

use countersign_store::{KeyRotation, KeyState, Store, StoredKey};

use super::place::{Place, after_noon, noon};

fn next_key(kid: &str) -> StoredKey {
    StoredKey {
        kid: kid.to_owned(),
        algorithm: "EdDSA".to_owned(),
        state: KeyState::Next,
        sealed: Some(kid.as_bytes().to_vec()),
        created_at: noon(),
        changed_at: noon(),
    }
}

fn rotation(next: &str, signing: Option<&str>) -> KeyRotation {
    KeyRotation {
        next: next.to_owned(),
        signing: signing.map(str::to_owned),
        configured: ("configured", "HS256"),
        at: after_noon(60),
    }
}

/// Name, state and whether there is a private key, of each.
async fn ring(store: &Store) -> Vec<(String, &'static str, bool)> {
    let keys = store.list_keys().await.unwrap().into_iter();
    keys.map(|key| (key.kid, key.state.name(), key.sealed.is_some())).collect()
}

fn is(kid: &str, state: &'static str, has_private_key: bool) -> (String, &'static str, bool) {
    (kid.to_owned(), state, has_private_key)
}

/// A ring in which `b` signs, after `a`, after the configured key.
async fn rotated_twice() -> Option<(Place, Store)> {
    let (place, store) = Place::open().await?;
    assert!(store.insert_key(next_key("a")).await.unwrap());
    assert!(store.rotate_keys(rotation("a", None)).await.unwrap());
    assert!(store.insert_key(next_key("b")).await.unwrap());
    assert!(store.rotate_keys(rotation("b", Some("a"))).await.unwrap());
    Some((place, store))
}

#[tokio::test]
async fn a_key_is_read_back_as_it_was_written() {
    let Some((place, store)) = Place::open().await else { return };
    assert_eq!(store.list_keys().await.unwrap(), []);
    let key = StoredKey { changed_at: after_noon(1), ..next_key("a") };
    assert!(store.insert_key(key.clone()).await.unwrap());
    assert_eq!(store.list_keys().await.unwrap(), [key]);
    let row = place.rows("SELECT created_at, changed_at FROM countersign_key");
    assert_eq!(row, ["1767268800000000|1767268801000000"], "microseconds since the epoch");
}

#[tokio::test]
async fn a_second_next_key_and_a_second_key_of_the_same_name_are_refused() {
    let Some((_place, store)) = Place::open().await else { return };
    assert!(store.insert_key(next_key("a")).await.unwrap());
    assert!(!store.insert_key(next_key("b")).await.unwrap());
    assert!(store.rotate_keys(rotation("a", None)).await.unwrap());
    assert!(!store.insert_key(next_key("a")).await.unwrap());
    assert!(!store.insert_key(StoredKey { state: KeyState::Signing, ..next_key("b") }).await.unwrap());
    assert_eq!(ring(&store).await, [is("a", "signing", true), is("configured", "verifying", false)]);
}

#[tokio::test]
async fn each_rotation_moves_two_keys_one_state_on() {
    let Some((_place, store)) = rotated_twice().await else { return };
    let expected =
        [is("a", "verifying", true), is("b", "signing", true), is("configured", "verifying", false)];
    assert_eq!(ring(&store).await, expected);
    let changed = store.list_keys().await.unwrap().into_iter().map(|key| key.changed_at);
    assert!(changed.eq([after_noon(60); 3]));
}

#[tokio::test]
async fn of_two_operators_who_rotate_at_once_one_is_told_that_the_keys_have_changed() {
    let Some((_place, store)) = rotated_twice().await else { return };
    store.insert_key(next_key("c")).await.unwrap();
    let rotate = || store.rotate_keys(rotation("c", Some("b")));
    let (one, other) = tokio::join!(rotate(), rotate());
    assert_ne!(one.unwrap(), other.unwrap(), "one of them, whichever comes first");
    for unseen in [rotation("b", Some("c")), rotation("c", None), rotation("d", Some("c"))] {
        assert!(!store.rotate_keys(unseen).await.unwrap());
    }
    let signing = ring(&store).await.into_iter().filter(|(_, state, _)| *state == "signing");
    assert_eq!(signing.collect::<Vec<_>>(), [is("c", "signing", true)]);
}

#[tokio::test]
async fn a_retired_key_has_no_private_key_and_stays_retired() {
    let Some((_place, store)) = rotated_twice().await else { return };
    let retire = |kid: &str, from| store.retire_key(kid.to_owned(), from, after_noon(120));
    assert!(!retire("b", KeyState::Verifying).await.unwrap(), "it signs");
    assert!(!retire("nobody's", KeyState::Verifying).await.unwrap());
    assert!(retire("a", KeyState::Verifying).await.unwrap());
    assert!(!retire("a", KeyState::Verifying).await.unwrap());
    assert!(retire("configured", KeyState::Verifying).await.unwrap());
    let expected = [is("a", "retired", false), is("b", "signing", true), is("configured", "retired", false)];
    assert_eq!(ring(&store).await, expected);
}

#[tokio::test]
async fn what_is_sealed_is_replaced_only_where_it_is_what_was_seen() {
    let Some((_place, store)) = rotated_twice().await else { return };
    let reseal = |old: &str, new: &str| store.reseal_key("a".to_owned(), old.into(), new.into());
    assert!(reseal("a", "sealed again").await.unwrap());
    assert!(!reseal("a", "sealed by another").await.unwrap());
    let sealed = store.list_keys().await.unwrap().into_iter().find(|key| key.kid == "a").unwrap().sealed;
    assert_eq!(sealed.as_deref(), Some(&b"sealed again"[..]));
}

#[tokio::test]
async fn the_tables_themselves_hold_that_one_key_signs_and_that_a_retired_one_is_empty() {
    let Some((place, _store)) = rotated_twice().await else { return };
    for sql in [
        "UPDATE countersign_key SET state = 'signing' WHERE kid = 'a'",
        "UPDATE countersign_key SET state = 'retired' WHERE kid = 'a'",
        "UPDATE countersign_key SET state = 'revived' WHERE kid = 'a'",
    ] {
        assert!(place.refuses(sql), "{sql}");
    }
}
