//! Rows as Django writes them on SQLite, where times are text, and rows that nobody should have written.

use countersign_domain::NewUser;
use countersign_store::StoreError;

use crate::place::{Place, after_noon, person, time};

#[tokio::test]
async fn times_are_written_as_django_writes_them() {
    let (place, store) = Place::open();
    for (number, (at, text)) in [
        ("2026-01-02T03:04:05.000006Z", "2026-01-02 03:04:05.000006"),
        ("2026-01-02T03:04:05.12Z", "2026-01-02 03:04:05.120000"),
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05"),
        ("2026-01-02T05:04:05+02:00", "2026-01-02 03:04:05"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31 23:59:59.500000"),
        ("0999-01-01T00:00:00Z", "0999-01-01 00:00:00"),
        ("9999-12-30T21:59:59.999999Z", "9999-12-30 21:59:59.999999"),
    ]
    .into_iter()
    .enumerate()
    {
        let new =
            NewUser { date_joined: time(at), last_login: Some(time(at)), ..person(&number.to_string()) };
        let id = store.insert_user(new).await.unwrap();
        let sql =
            format!("SELECT date_joined, last_login, typeof(date_joined) FROM auth_user WHERE id = {id}");
        assert_eq!(place.rows(&sql), [format!("{text}|{text}|text")]);
        let read = store.find_user(id).await.unwrap().unwrap();
        assert_eq!((read.date_joined, read.last_login), (time(at), Some(time(at))));
    }
}

#[tokio::test]
async fn a_row_that_no_django_wrote_is_an_error_and_spoils_no_other() {
    let (place, store) = Place::open();
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(NewUser { date_joined: after_noon(1), ..person("bob") }).await.unwrap();
    for damage in ["date_joined = 'yesterday'", "last_login = '2026-13-01 00:00:00'", "email = x'ff'"] {
        place.outside().execute(&format!("UPDATE auth_user SET {damage} WHERE id = 1"), []).unwrap();
        let read = store.find_user(ada).await;
        assert!(matches!(read, Err(StoreError::Statement(_))), "{damage}: {read:?}");
        assert!(store.find_user(bob).await.unwrap().is_some());
    }
}
