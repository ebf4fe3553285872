//! `auth_user`: what is written is read, and only what was meant is changed.

use countersign_domain::{NewUser, PasswordHash, User, UserId};
use countersign_store::{InsertUserError, UserChange};

use tokio::task::JoinSet;

use super::place::{Place, ending, noon, person, time, token};

fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

#[tokio::test]
async fn a_user_is_found_by_name_and_by_id_with_everything_it_was_given() {
    let Some((_place, store)) = Place::open().await else { return };
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
    assert_eq!(id, UserId::new(1));
    assert_eq!(store.find_user(id).await.unwrap(), expected);
    assert_eq!(store.find_user_by_username("Ådä").await.unwrap(), expected);
    assert!(store.username_exists("Ådä").await.unwrap());
}

#[tokio::test]
async fn a_sample_of_hashes_is_of_the_oldest_and_of_the_newest_accounts() {
    let Some((_place, store)) = Place::open().await else { return };
    assert_eq!(store.sample_password_hashes(2).await.unwrap(), []);
    for number in 1..=5 {
        let user = NewUser { password_hash: hash(&number.to_string()), ..person(&format!("user{number}")) };
        store.insert_user(user).await.unwrap();
    }
    let sample = store.sample_password_hashes(2).await.unwrap();
    assert_eq!(sample, ["1", "2", "5", "4"].map(hash));
}

#[tokio::test]
async fn who_is_not_there_is_not_found() {
    let Some((_place, store)) = Place::open().await else { return };
    store.insert_user(person("ada")).await.unwrap();
    for name in ["Ada", "ada ", "ad", "", "ada' OR '1'='1", "%"] {
        assert_eq!(store.find_user_by_username(name).await.unwrap(), None, "{name:?}");
        assert!(!store.username_exists(name).await.unwrap(), "{name:?}");
    }
    for id in [0, 2, -1, i64::MAX, i64::MIN] {
        assert_eq!(store.find_user(UserId::new(id)).await.unwrap(), None, "{id}");
    }
}

#[tokio::test]
async fn a_username_is_given_once_and_an_id_never_again() {
    let Some((_place, store)) = Place::open().await else { return };
    let ada = store.insert_user(person("ada")).await.unwrap();
    let again = store.insert_user(person("ada")).await;
    assert!(matches!(again, Err(InsertUserError::UsernameTaken)), "{again:?}");
    assert!(store.delete_user(ada).await.unwrap());
    let successor = store.insert_user(person("ada")).await.unwrap();
    assert!(successor > ada, "tokens of the first must not become the second's");
}

#[tokio::test]
async fn users_are_listed_in_pages_by_id() {
    let Some((_place, store)) = Place::open().await else { return };
    for name in ["e", "d", "c", "b", "a"] {
        store.insert_user(person(name)).await.unwrap();
    }
    let page = async |after: Option<i64>, limit| {
        let users = store.list_users(after.map(UserId::new), limit).await.unwrap();
        users.iter().map(|user| user.id.number().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [1, 2]);
    assert_eq!(page(Some(2), 2).await, [3, 4]);
    assert_eq!(page(Some(4), 2).await, [5]);
    assert_eq!(page(Some(5), 2).await, [0; 0]);
    assert_eq!(page(None, 0).await, [0; 0]);
    assert_eq!(page(None, u32::MAX).await.len(), 5);
}

/// One change, and what it makes of a user.
type Case = (UserChange, fn(&mut User));

#[tokio::test]
async fn a_change_sets_its_column_and_no_other() {
    let Some((_place, store)) = Place::open().await else { return };
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
        assert_eq!(store.find_user(id).await.unwrap().as_ref(), Some(&expected), "{change:?}");
    }
    assert_eq!(store.find_user(UserId::new(2)).await.unwrap(), Some(person("bob").with_id(UserId::new(2))));
    assert!(!store.update_user(UserId::new(3), none()).await.unwrap(), "there is no third");
}

#[tokio::test]
async fn a_hash_is_upgraded_unless_the_password_was_changed_meanwhile() {
    let Some((_place, store)) = Place::open().await else { return };
    let id = store.insert_user(NewUser { password_hash: hash("old"), ..person("ada") }).await.unwrap();
    let upgrade = |from: &str, to: &str| store.upgrade_password_hash(id, hash(from), hash(to));
    assert!(upgrade("old", "better").await.unwrap());
    assert!(!upgrade("old", "of the old password").await.unwrap());
    assert!(!store.upgrade_password_hash(UserId::new(2), hash("better"), hash("x")).await.unwrap());
    assert_eq!(store.find_user(id).await.unwrap().unwrap().password_hash.as_str(), "better");
}

#[tokio::test]
async fn a_deleted_user_leaves_its_tokens_without_user_and_its_memberships_not_at_all() {
    let Some((place, store)) = Place::open().await else { return };
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(person("bob")).await.unwrap();
    for (jti, user) in [("of ada", ada), ("of ada too", ada), ("of bob", bob)] {
        store.blacklist_token(token(jti, Some(user)), None, noon()).await.unwrap();
    }
    place.run(
        "INSERT INTO auth_group (id, name) VALUES (1, 'writers');
             INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1), (2, 1);
             INSERT INTO auth_user_user_permissions (user_id, permission_id) VALUES (1, 3), (2, 4);",
    );
    assert!(store.delete_user(ada).await.unwrap());
    assert!(!store.delete_user(ada).await.unwrap(), "she is gone already");
    assert_eq!(place.rows("SELECT username FROM auth_user"), ["bob"]);
    assert_eq!(place.rows("SELECT user_id FROM auth_user_groups"), ["2"]);
    assert_eq!(place.rows("SELECT user_id, permission_id FROM auth_user_user_permissions"), ["2|4"]);
    assert_eq!(
        place.rows("SELECT jti, user_id FROM token_blacklist_outstandingtoken ORDER BY id"),
        ["of ada|-", "of ada too|-", "of bob|2"]
    );
    assert!(store.is_blacklisted("of ada").await.unwrap());
    assert_eq!(store.integrity_complaints().unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_user_to_whom_an_application_of_djangos_refers_is_not_deleted_and_the_table_is_named() {
    let Some((place, store)) = Place::open().await else { return };
    let (ada, bob) =
        (store.insert_user(person("ada")).await.unwrap(), store.insert_user(person("bob")).await.unwrap());
    let admin_log =
        "CREATE TABLE \"django_admin_log\" (\"id\" integer PRIMARY KEY, \"user_id\" integer NOT NULL
                     REFERENCES \"auth_user\" (\"id\") DEFERRABLE INITIALLY DEFERRED)";
    place.run(admin_log);
    place.run(&format!("INSERT INTO django_admin_log (id, user_id) VALUES (1, {ada})"));

    // At once, so that both share a commit, which a broken foreign key would undo for the other too.
    let (refused, neighbour) = tokio::join!(store.delete_user(ada), store.insert_user(person("carol")));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "rows of the table django_admin_log refer to the user; delete them first, or deactivate the user"
    );
    assert!(neighbour.is_ok());
    assert!(store.find_user(ada).await.unwrap().is_some());
    store.record_token(token("of ada", Some(ada))).await.unwrap();
    store.delete_user_and_end_tokens(ada, ending(noon())).await.unwrap_err();
    assert!(!store.is_blacklisted("of ada").await.unwrap(), "who is not deleted is not logged out");
    store.record_token(token("of bob", Some(bob))).await.unwrap();
    assert!(store.delete_user_and_end_tokens(bob, ending(noon())).await.unwrap());
    assert!(store.is_blacklisted("of bob").await.unwrap());
    assert_eq!(store.integrity_complaints().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_address_is_found_in_whatever_case_and_an_empty_one_is_nobodys() {
    let Some((_place, store)) = Place::open().await else { return };
    let of = |name: &str, email: &str| NewUser { email: email.to_owned(), ..person(name) };
    store.insert_user(of("ada", "Ada.L@example.com")).await.unwrap();
    store.insert_user(of("bob", "")).await.unwrap();
    assert!(store.address_exists("ada.l@example.com").await.unwrap());
    for address in ["", "ada@example.com", "ada_l@example.com", "%", "ada.l@example.com "] {
        assert!(!store.address_exists(address).await.unwrap(), "{address:?}");
    }
}

#[tokio::test]
async fn of_those_who_ask_for_an_address_at_once_in_any_case_one_gets_it() {
    let Some((place, store)) = Place::open().await else { return };
    let mut asking = JoinSet::new();
    for number in 0..8 {
        let (store, local) = (store.clone(), if number % 2 == 0 { "Ada" } else { "ada" });
        let user = NewUser { email: format!("{local}@example.com"), ..person(&format!("name{number}")) };
        asking.spawn(async move { store.insert_user_of_address(user, "ada@example.com".to_owned()).await });
    }
    let answers = asking.join_all().await;
    let taken = |answer: &&Result<UserId, _>| matches!(answer, Err(InsertUserError::UsernameTaken));
    assert_eq!(answers.iter().filter(taken).count(), 7, "{answers:?}");
    assert_eq!(place.rows("SELECT count(*) FROM auth_user"), ["1"]);
}

#[tokio::test]
async fn who_asks_for_an_address_that_another_has_in_another_case_does_not_get_it() {
    let Some((_place, store)) = Place::open().await else { return };
    store.insert_user(NewUser { email: "ADA@example.com".to_owned(), ..person("bob") }).await.unwrap();
    let ada = NewUser { email: "ada@example.com".to_owned(), ..person("ada") };
    let refused = store.insert_user_of_address(ada, "ada@example.com".to_owned()).await;
    assert!(matches!(refused, Err(InsertUserError::UsernameTaken)), "{refused:?}");
}
