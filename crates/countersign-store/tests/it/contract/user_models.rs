//! User models of a project's own: keys that are UUIDs, e-mail addresses for names, and tables that cannot be served.

use countersign_domain::{Client, EndReason, LoginField, SessionId, UserId};
use countersign_store::{
    Findings, InsertUserError, Named, NamedUser, NewSession, PoolOptions, Prospect, Store, StoreError,
    TokensOf, UserChange, UserModel, give_back,
};
use tokio::task::JoinSet;

use super::place::{Place, after_noon, end_tokens_of, ending, noon, person, token};
use crate::user_model::{member, person_by_email, tables_of};

/// A database of a project with this user model, as Django leaves it.
async fn place_with(model: &UserModel) -> Option<Place> {
    let (place, store) = Place::open().await?;
    drop(store);
    place.run(&tables_of(model, &place.url()));
    Some(place)
}

async fn try_open(place: &Place, model: &UserModel) -> Result<Store, StoreError> {
    Store::open_for(&place.url(), &PoolOptions::default(), model).await
}

async fn look(place: &Place, model: &UserModel) -> Findings {
    let prospect = Prospect::open_for(&place.url(), &PoolOptions::default(), model).await.unwrap();
    prospect.look().await.unwrap()
}

fn obstacles(findings: &Findings) -> Vec<String> {
    findings.obstacles().map(ToString::to_string).collect()
}

async fn refusal(place: &Place, model: &UserModel) -> String {
    match try_open(place, model).await.map(drop) {
        Err(error @ StoreError::Migration(_)) => error.to_string(),
        other => panic!("it was taken, or refused otherwise: {other:?}"),
    }
}

fn session(user: UserId, digit: char) -> NewSession {
    NewSession {
        id: SessionId::parse(&digit.to_string().repeat(32)).unwrap(),
        user,
        created_at: noon(),
        expires_at: after_noon(60),
        client: Client::new(None, "a browser"),
    }
}

#[tokio::test]
async fn a_user_with_an_address_for_a_name_gets_a_uuid_and_is_found_by_either() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    let store = try_open(&place, &model).await.unwrap();
    assert_eq!(store.login_field(), LoginField::Email);
    let id = store.insert_user(person("ada")).await.unwrap();
    let UserId::Uuid(uuid) = id else { panic!("{id} is no UUID") };
    assert_eq!((uuid.get_version_num(), uuid.get_variant()), (4, uuid::Variant::RFC4122));
    let mut expected = person("ada").with_id(id);
    expected.username.clone_from(&expected.email);
    assert_eq!(store.find_user(id).await.unwrap(), Some(expected.clone()));
    assert_eq!(store.find_user_by_username("ada@example.com").await.unwrap(), Some(expected));
    assert_eq!(store.find_user_by_username("ada").await.unwrap(), None);
    assert_eq!(store.find_user_by_username("Ada@example.com").await.unwrap(), None, "as it is stored");
    let again = store.insert_user(person("ada")).await;
    assert!(matches!(again, Err(InsertUserError::UsernameTaken)), "{again:?}");
    let other = store.insert_user(person("bob")).await.unwrap();
    assert_ne!(other, id);
    for nobody in [UserId::parse_uuid(&"0".repeat(32)).unwrap(), UserId::Uuid(uuid::Uuid::max())] {
        assert_eq!(store.find_user(nobody).await.unwrap(), None);
    }
}

#[tokio::test]
async fn uuids_are_kept_as_django_keeps_them() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    let store = try_open(&place, &model).await.unwrap();
    let id = store.insert_user(person("ada")).await.unwrap();
    let account = store.find_user(id).await.unwrap().unwrap();
    assert!(
        store
            .record_login(Some(session(id, 'a')), Some(token("one", Some(id))), &account, None)
            .await
            .unwrap()
    );
    let is_text = matches!(place.url(), countersign_store::DatabaseUrl::Sqlite(_));
    let expected = if is_text { id.to_string().replace('-', "") } else { id.to_string() };
    for sql in [
        "SELECT id FROM people_person",
        "SELECT user_id FROM countersign_session",
        "SELECT user_id FROM token_blacklist_outstandingtoken",
    ] {
        assert_eq!(place.rows(sql), [expected.as_str()], "{sql}");
    }
    place.run("UPDATE people_person SET email = 'eve@example.com'");
    assert_eq!(store.find_user_by_username("eve@example.com").await.unwrap().unwrap().id, id);
}

#[tokio::test]
async fn each_of_many_uuids_that_are_looked_up_at_once_finds_its_own_user() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    let store = try_open(&place, &model).await.unwrap();
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve", "joe", "sue", "tom"] {
        people.push((name, store.insert_user(person(name)).await.unwrap()));
    }
    let mut asking = JoinSet::new();
    for (name, id) in people {
        let (store, user) = (store.clone(), Some(NamedUser::Id(id)));
        asking.spawn(async move {
            let held = store.find_held(Named { user, ..Named::default() }).await.unwrap();
            assert_eq!(held.user.unwrap().email, format!("{name}@example.com"));
        });
    }
    asking.join_all().await;
}

#[tokio::test]
async fn pages_of_users_with_uuids_show_each_once() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    let store = try_open(&place, &model).await.unwrap();
    let mut made = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        made.push(store.insert_user(person(name)).await.unwrap());
    }
    made.sort_unstable();
    let (mut seen, mut last) = (Vec::new(), None);
    for _ in 0..3 {
        let page = store.list_users(last, 2).await.unwrap();
        last = page.last().map(|user| user.id);
        seen.extend(page.iter().map(|user| user.id));
    }
    assert_eq!(seen, made);
    let prospect = Prospect::open_for(&place.url(), &PoolOptions::default(), &model).await.unwrap();
    let sighted = prospect.users_after(None).await.unwrap();
    assert_eq!(sighted.iter().map(|user| user.id).collect::<Vec<_>>(), made);
    assert_eq!(prospect.users_after(made.first().copied()).await.unwrap().len(), 4);
    assert_eq!(prospect.look().await.unwrap().last_user, 0);
}

#[tokio::test]
async fn sessions_tokens_groups_and_permissions_of_a_uuid_are_its_own() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    let store = try_open(&place, &model).await.unwrap();
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(person("bob")).await.unwrap();
    for (user, digit, jti) in [(ada, 'a', "one"), (ada, 'b', "two"), (bob, 'c', "three")] {
        let account = store.find_user(user).await.unwrap().unwrap();
        let row = token(jti, Some(user));
        let recorded = store.record_login(Some(session(user, digit)), Some(row), &account, Some(noon()));
        assert!(recorded.await.unwrap());
    }
    store.blacklist_token(token("nobody's", None), None, noon()).await.unwrap();
    place.run(&format!(
        "INSERT INTO auth_group (id, name) VALUES (1, 'editors');
         INSERT INTO people_person_groups (person_id, group_id) SELECT id, 1 FROM people_person WHERE email LIKE 'ada%';
         INSERT INTO people_person_user_permissions (person_id, permission_id)
              SELECT id, {} FROM people_person WHERE email LIKE 'ada%'",
        place.rows("SELECT min(id) FROM auth_permission").concat()
    ));
    assert_eq!(store.list_groups(ada).await.unwrap(), ["editors"]);
    assert_eq!(store.list_permissions(ada).await.unwrap().len(), 1);
    assert!(store.list_groups(bob).await.unwrap().is_empty());
    assert_eq!(store.list_sessions(ada, noon(), 9).await.unwrap().len(), 2);
    assert_eq!(store.outstanding_tokens(&TokensOf::User(ada)).await.unwrap().len(), 2);
    assert_eq!(store.outstanding_tokens(&TokensOf::Jti("nobody's".to_owned())).await.unwrap().len(), 1);
    let ended = store.end_sessions(ada, ending(noon()), None).await.unwrap();
    assert_eq!((ended.sessions, ended.tokens), (2, 2));
    assert_eq!(store.list_sessions(bob, noon(), 9).await.unwrap().len(), 1, "another's goes on");
    let change = UserChange {
        first_name: Some("Ada".to_owned()),
        last_name: Some("L".to_owned()),
        ..UserChange::default()
    };
    assert!(store.update_user_and_end_sessions(ada, change, ending(noon())).await.unwrap());
    let read = store.find_user(ada).await.unwrap().unwrap();
    assert_eq!(
        (read.first_name.as_str(), read.last_name.as_str()),
        ("Ada", ""),
        "there is no last name to set"
    );
    assert!(
        store
            .end_session(session(bob, 'c').id, bob, noon(), EndReason::LoggedOut, |_, _| String::new())
            .await
            .unwrap()
    );
    assert!(store.delete_user_and_end_tokens(ada, ending(noon())).await.unwrap());
    assert_eq!(store.find_user(ada).await.unwrap(), None);
    assert_eq!(place.rows("SELECT count(*) FROM people_person_groups"), ["0"]);
    assert_eq!(end_tokens_of(&store, bob, ending(noon())).await, 1);
}

#[tokio::test]
async fn a_user_that_another_table_refers_to_is_not_deleted() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    let store = try_open(&place, &model).await.unwrap();
    let ada = store.insert_user(person("ada")).await.unwrap();
    let key =
        if matches!(place.url(), countersign_store::DatabaseUrl::Sqlite(_)) { "char(32)" } else { "uuid" };
    place.run(&format!(
        "CREATE TABLE shop_order (buyer_id {key} REFERENCES people_person (id) DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO shop_order SELECT id FROM people_person"
    ));
    let refused = store.delete_user(ada).await;
    assert!(
        matches!(&refused, Err(StoreError::UserReferenced(table)) if table == "shop_order"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_is_added_beside_a_user_model_is_what_is_taken_out_again() {
    for model in [member(), person_by_email()] {
        let Some(place) = place_with(&model).await else { return };
        let before = look(&place, &model).await;
        assert_eq!(obstacles(&before), [""; 0]);
        assert_eq!(
            (before.made_by_django, before.other_users.as_deref(), before.other_tables),
            (None, None, 0)
        );
        let store = try_open(&place, &model).await.unwrap();
        assert!(store.is_made_by_django());
        store.insert_user(person("ada")).await.unwrap();
        drop(store);
        assert_eq!(look(&place, &model).await.made_by_django, Some(true));
        drop(try_open(&place, &model).await.unwrap());
        let removed = give_back(&place.url(), &PoolOptions::default(), false).await.unwrap();
        assert_eq!(removed.objects, before.to_add);
        assert_eq!(look(&place, &model).await.to_add, before.to_add);
    }
}

#[tokio::test]
async fn what_keeps_a_model_from_being_served_is_said_by_a_look_and_by_the_start() {
    let model = person_by_email();
    for (change, expected) in [
        ("ALTER TABLE people_person DROP COLUMN is_active", "the column people_person.is_active is missing"),
        (
            "ALTER TABLE people_person RENAME COLUMN email TO mail",
            "the column people_person.email is missing",
        ),
        ("DROP TABLE people_person_groups", "the table people_person_groups is missing"),
        (
            "ALTER TABLE people_person RENAME COLUMN first_name TO nickname",
            "the column people_person.nickname is not Django's, takes no NULL and has no default",
        ),
    ] {
        let Some(place) = place_with(&model).await else { return };
        place.run(change);
        let found = obstacles(&look(&place, &model).await);
        assert!(found.iter().any(|obstacle| obstacle.contains(expected)), "{change}: {found:?}");
        let refused = refusal(&place, &model).await;
        assert!(
            refused.contains("AUTH_USER_TABLE says people_person") && refused.contains(expected),
            "{refused}"
        );
        assert_eq!(look(&place, &model).await.made_by_django, None, "nothing was added");
    }
}

#[tokio::test]
async fn a_model_without_unique_addresses_is_not_served_by_address() {
    let members = member();
    let Some(place) = place_with(&members).await else { return };
    let model = UserModel { login: LoginField::Email, ..members };
    let found = obstacles(&look(&place, &model).await);
    let expected = [
        format!(
            "the column {}.username is not Django's, takes no NULL and has no default, so that no row could be added \
             without knowing what belongs there",
            model.table
        ),
        format!("the table {} has no unique constraint on email", model.table),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_wrong_table_is_refused_with_the_right_one() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    let said = refusal(&place, &UserModel::default()).await;
    assert!(said.contains("AUTH_USER_TABLE has to name the table"), "{said}");
    assert_eq!(look(&place, &UserModel::default()).await.other_users.as_deref(), Some("people_person"));
    let other = UserModel { table: "people_persona".to_owned(), ..model };
    let said = refusal(&place, &other).await;
    assert!(said.contains("of the users in people_person, which AUTH_USER_TABLE has to name"), "{said}");
    assert!(said.contains("the table people_persona is missing"), "{said}");
}

#[tokio::test]
async fn a_hostile_name_of_a_table_is_no_more_than_a_name() {
    let model = person_by_email();
    let Some(place) = place_with(&model).await else { return };
    for table in [
        "people_person; DROP TABLE auth_group; --",
        "people_person\"; DROP TABLE auth_group; --",
        "people_person' OR '1'='1",
        "people_person\" --",
        "\"people_person\"",
        "PEOPLE_PERSON",
        "sqlite_schema",
        "pg_class",
        "$1",
    ] {
        let hostile = UserModel { table: table.to_owned(), ..model.clone() };
        let said = refusal(&place, &hostile).await;
        assert!(said.contains(&format!("the table {table} is missing")), "{said}");
    }
    assert_eq!(place.rows("SELECT count(*) FROM auth_group"), ["0"], "it is still there");
    // The name of a table that is there, and is nothing but that.
    let hostile = UserModel { table: "a\"; DROP TABLE auth_group; --".to_owned(), ..member() };
    let Some(place) = place_with(&hostile).await else { return };
    let store = try_open(&place, &hostile).await.unwrap();
    let ada = store.insert_user(person("ada")).await.unwrap();
    assert_eq!(store.find_user_by_username("ada").await.unwrap().unwrap().id, ada);
    assert!(store.list_groups(ada).await.unwrap().is_empty());
}
