//! `auth_user`: what is written is read, and only what was meant is changed.

use countersign_domain::{NewUser, PasswordHash, User, UserId};
use countersign_store::{InsertUserError, StoreError, UserChange};

use crate::place::{Place, after_noon, ending, noon, person, time, token};

fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

#[tokio::test]
async fn a_user_is_found_by_name_and_by_id_with_everything_it_was_given() {
    let (_place, store) = Place::open();
    let ada = NewUser {
        username: "Ådä".to_owned(),
        email: "ada@example.com".to_owned(),
        password_hash: hash("pbkdf2_sha256$1$salt$hash"),
        is_active: false,
        is_staff: true,
        is_superuser: true,
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
        last_login: Some(time("2026-02-03T04:05:06.789Z")),
        date_joined: time("2025-12-31T23:59:59.999999Z"),
    };
    let id = store.insert_user(ada.clone()).await.unwrap();
    store.insert_user(person("bob")).await.unwrap();
    let expected = Some(ada.with_id(id));
    assert_eq!(id.get(), 1);
    assert_eq!(store.find_user(id).unwrap(), expected);
    assert_eq!(store.find_user_by_username("Ådä").unwrap(), expected);
    assert!(store.username_exists("Ådä").unwrap());
}

#[tokio::test]
async fn who_is_not_there_is_not_found() {
    let (_place, store) = Place::open();
    store.insert_user(person("ada")).await.unwrap();
    for name in ["Ada", "ada ", "ad", "", "ada' OR '1'='1", "%"] {
        assert_eq!(store.find_user_by_username(name).unwrap(), None, "{name:?}");
        assert!(!store.username_exists(name).unwrap(), "{name:?}");
    }
    for id in [0, 2, -1, i64::MAX, i64::MIN] {
        assert_eq!(store.find_user(UserId::new(id)).unwrap(), None, "{id}");
    }
}

#[tokio::test]
async fn a_username_is_given_once_and_an_id_never_again() {
    let (_place, store) = Place::open();
    let ada = store.insert_user(person("ada")).await.unwrap();
    let again = store.insert_user(person("ada")).await;
    assert!(matches!(again, Err(InsertUserError::UsernameTaken)), "{again:?}");
    assert!(store.delete_user(ada).await.unwrap());
    let successor = store.insert_user(person("ada")).await.unwrap();
    assert!(successor > ada, "tokens of the first must not become the second's");
}

#[tokio::test]
async fn users_are_listed_in_pages_by_id() {
    let (_place, store) = Place::open();
    for name in ["e", "d", "c", "b", "a"] {
        store.insert_user(person(name)).await.unwrap();
    }
    let page = |after: Option<i64>, limit| {
        let users = store.list_users(after.map(UserId::new), limit).unwrap();
        users.iter().map(|user| user.id.get()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), [1, 2]);
    assert_eq!(page(Some(2), 2), [3, 4]);
    assert_eq!(page(Some(4), 2), [5]);
    assert_eq!(page(Some(5), 2), [0; 0]);
    assert_eq!(page(None, 0), [0; 0]);
    assert_eq!(page(None, u32::MAX).len(), 5);
}

/// One change, and what it makes of a user.
type Case = (UserChange, fn(&mut User));

#[tokio::test]
async fn a_change_sets_its_column_and_no_other() {
    let (_place, store) = Place::open();
    let id = store.insert_user(person("ada")).await.unwrap();
    store.insert_user(person("bob")).await.unwrap();
    let mut expected = person("ada").with_id(id);
    let none = UserChange::default;
    let changes: [Case; 9] = [
        (UserChange { password_hash: Some(hash("new")), ..none() }, |ada| ada.password_hash = hash("new")),
        (UserChange { is_active: Some(false), ..none() }, |ada| ada.is_active = false),
        (UserChange { is_staff: Some(true), ..none() }, |ada| ada.is_staff = true),
        (UserChange { is_superuser: Some(true), ..none() }, |ada| ada.is_superuser = true),
        (UserChange { email: Some(String::new()), ..none() }, |ada| ada.email = String::new()),
        (UserChange { first_name: Some("A".to_owned()), ..none() }, |ada| ada.first_name = "A".to_owned()),
        (UserChange { last_name: Some("L".to_owned()), ..none() }, |ada| ada.last_name = "L".to_owned()),
        (UserChange { last_login: Some(noon()), ..none() }, |ada| ada.last_login = Some(noon())),
        (none(), |_| ()),
    ];
    for (change, apply) in changes {
        apply(&mut expected);
        assert!(store.update_user(id, change.clone()).await.unwrap());
        assert_eq!(store.find_user(id).unwrap().as_ref(), Some(&expected), "{change:?}");
    }
    assert_eq!(store.find_user(UserId::new(2)).unwrap(), Some(person("bob").with_id(UserId::new(2))));
    assert!(!store.update_user(UserId::new(3), none()).await.unwrap(), "there is no third");
}

#[tokio::test]
async fn a_hash_is_upgraded_unless_the_password_was_changed_meanwhile() {
    let (_place, store) = Place::open();
    let id = store.insert_user(NewUser { password_hash: hash("old"), ..person("ada") }).await.unwrap();
    let upgrade = |from: &str, to: &str| store.upgrade_password_hash(id, hash(from), hash(to));
    assert!(upgrade("old", "better").await.unwrap());
    assert!(!upgrade("old", "of the old password").await.unwrap());
    assert!(!store.upgrade_password_hash(UserId::new(2), hash("better"), hash("x")).await.unwrap());
    assert_eq!(store.find_user(id).unwrap().unwrap().password_hash.as_str(), "better");
}

#[tokio::test]
async fn a_deleted_user_leaves_its_tokens_without_user_and_its_memberships_not_at_all() {
    let (place, store) = Place::open();
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(person("bob")).await.unwrap();
    for (jti, user) in [("of ada", ada), ("of ada too", ada), ("of bob", bob)] {
        store.blacklist_token(token(jti, Some(user)), None, noon()).await.unwrap();
    }
    place
        .outside()
        .execute_batch(
            "INSERT INTO auth_group (id, name) VALUES (1, 'writers');
             INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1), (2, 1);
             INSERT INTO auth_user_user_permissions (user_id, permission_id) VALUES (1, 3), (2, 4);",
        )
        .unwrap();
    assert!(store.delete_user(ada).await.unwrap());
    assert!(!store.delete_user(ada).await.unwrap(), "she is gone already");
    assert_eq!(place.rows("SELECT username FROM auth_user"), ["bob"]);
    assert_eq!(place.rows("SELECT user_id FROM auth_user_groups"), ["2"]);
    assert_eq!(place.rows("SELECT user_id, permission_id FROM auth_user_user_permissions"), ["2|4"]);
    assert_eq!(
        place.rows("SELECT jti, user_id FROM token_blacklist_outstandingtoken ORDER BY id"),
        ["of ada|-", "of ada too|-", "of bob|2"]
    );
    assert!(store.is_blacklisted("of ada").unwrap());
    assert_eq!(store.integrity_complaints().unwrap(), [""; 0]);
}

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
        let read = store.find_user(id).unwrap().unwrap();
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
        let read = store.find_user(ada);
        assert!(matches!(read, Err(StoreError::Statement(_))), "{damage}: {read:?}");
        assert!(store.find_user(bob).unwrap().is_some());
    }
}

#[tokio::test]
async fn a_user_to_whom_an_application_of_djangos_refers_is_not_deleted_and_the_table_is_named() {
    let (place, store) = Place::open();
    let (ada, bob) =
        (store.insert_user(person("ada")).await.unwrap(), store.insert_user(person("bob")).await.unwrap());
    let admin_log =
        "CREATE TABLE \"django_admin_log\" (\"id\" integer PRIMARY KEY, \"user_id\" integer NOT NULL
                     REFERENCES \"auth_user\" (\"id\") DEFERRABLE INITIALLY DEFERRED)";
    place.outside().execute_batch(admin_log).unwrap();
    place.outside().execute("INSERT INTO django_admin_log (user_id) VALUES (?1)", [ada.get()]).unwrap();

    // At once, so that both share a commit, which a broken foreign key would undo for the other too.
    let (refused, neighbour) = tokio::join!(store.delete_user(ada), store.insert_user(person("carol")));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "rows of the table django_admin_log refer to the user; delete them first, or deactivate the user"
    );
    assert!(neighbour.is_ok());
    assert!(store.find_user(ada).unwrap().is_some());
    store.record_token(token("of ada", Some(ada))).await.unwrap();
    store.delete_user_and_end_tokens(ada, ending(noon())).await.unwrap_err();
    assert!(!store.is_blacklisted("of ada").unwrap(), "who is not deleted is not logged out");
    store.record_token(token("of bob", Some(bob))).await.unwrap();
    assert!(store.delete_user_and_end_tokens(bob, ending(noon())).await.unwrap());
    assert!(store.is_blacklisted("of bob").unwrap());
    assert_eq!(store.integrity_complaints().unwrap(), Vec::<String>::new());
}
