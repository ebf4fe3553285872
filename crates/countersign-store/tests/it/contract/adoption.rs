//! A database of Django's: looked at without being changed, added to, and given back as it was.

use countersign_domain::NewUser;
use countersign_store::{Findings, PoolOptions, Prospect, Store, StoreError, give_back};

use super::place::{Place, after_noon, noon, person, token};

/// A database as Django leaves it.
async fn place_of_django() -> Option<Place> {
    let (place, store) = Place::open().await?;
    drop(store);
    place.run(
        "DROP TABLE countersign_migration; DROP TABLE countersign_session; DROP TABLE countersign_key;
         DROP TABLE countersign_import; DROP TABLE countersign_event; DROP TABLE countersign_event_chain;
         DROP TABLE countersign_refusal; DROP TABLE countersign_attempt;
         DROP TABLE countersign_mail; DROP INDEX countersign_user_email;",
    );
    Some(place)
}

fn prospect(place: &Place) -> Prospect {
    Prospect::open(&place.url(), &PoolOptions::default()).unwrap()
}

async fn look(place: &Place) -> Findings {
    prospect(place).look().await.unwrap()
}

async fn open(place: &Place) -> Store {
    Store::open(&place.url(), &PoolOptions::default()).await.unwrap()
}

fn told(findings: &Findings) -> Vec<String> {
    let note = |harmless| if harmless { " (harmless)" } else { "" };
    findings.differences.iter().map(|found| format!("{found}{}", note(found.is_harmless()))).collect()
}

#[tokio::test]
async fn a_database_of_ours_is_as_django_makes_it_and_needs_nothing() {
    let Some((place, _store)) = Place::open().await else { return };
    let findings = look(&place).await;
    assert_eq!(told(&findings), [""; 0]);
    assert_eq!((findings.made_by_django, findings.is_empty, findings.other_tables), (Some(false), false, 0));
    assert!(findings.to_add.tables.is_empty() && findings.to_add.indexes.is_empty());
    let counts: Vec<_> = findings.migrations.iter().map(|of| (of.application, of.applied)).collect();
    assert_eq!(counts, [("contenttypes", 2), ("auth", 12), ("token_blacklist", 12)]);
    assert!(findings.migrations.iter().all(|of| of.missing.is_empty() && of.unknown.is_empty()));
}

#[tokio::test]
async fn what_a_look_says_is_added_is_what_is_added_and_what_is_taken_out_again() {
    let Some(place) = place_of_django().await else { return };
    place.run("CREATE TABLE shop_order (id integer PRIMARY KEY)");
    let before = look(&place).await;
    assert_eq!((before.made_by_django, before.other_tables), (None, 1));
    assert_eq!(
        before.to_add.tables,
        [
            "countersign_attempt",
            "countersign_event",
            "countersign_event_chain",
            "countersign_import",
            "countersign_key",
            "countersign_mail",
            "countersign_migration",
            "countersign_refusal",
            "countersign_session"
        ]
    );
    assert_eq!(
        before.to_add.indexes,
        [
            "countersign_attempt_whole_at",
            "countersign_event_position",
            "countersign_event_subject",
            "countersign_event_waiting",
            "countersign_key_one_next",
            "countersign_key_one_signing",
            "countersign_mail_address",
            "countersign_mail_next_attempt_at",
            "countersign_refusal_at",
            "countersign_refusal_request_id",
            "countersign_session_user_id",
            "countersign_user_email"
        ]
    );
    assert_eq!(look(&place).await.to_add, before.to_add, "a look adds nothing");

    let store = open(&place).await;
    assert!(store.is_made_by_django());
    let ada = store.insert_user(person("ada")).await.unwrap();
    drop(store);
    let between = look(&place).await;
    assert_eq!(
        (between.made_by_django, between.to_add.tables.len(), between.to_add.indexes.len()),
        (Some(true), 0, 0)
    );
    place.run("INSERT INTO countersign_key (kid, algorithm, state, created_at, changed_at) VALUES ('a', 'b', 'retired', 1, 1)");

    let removed = give_back(&place.url(), &PoolOptions::default(), false).await.unwrap();
    assert_eq!((removed.objects, removed.sessions, removed.keys), (before.to_add.clone(), 0, 0));
    let after = look(&place).await;
    assert_eq!((after.made_by_django, after.to_add), (None, before.to_add));
    assert_eq!(place.rows("SELECT username FROM auth_user"), ["ada"], "accounts stay");
    assert_eq!(after.last_user, ada.number().unwrap());
    let again = give_back(&place.url(), &PoolOptions::default(), false).await.unwrap_err().to_string();
    assert!(again.contains("nothing of Countersign's is in it"), "{again}");
}

#[tokio::test]
async fn a_database_of_ours_is_not_given_back() {
    let Some((place, store)) = Place::open().await else { return };
    let refused = give_back(&place.url(), &PoolOptions::default(), false).await.unwrap_err().to_string();
    assert!(refused.contains("Countersign made it"), "{refused}");
    assert!(store.insert_user(person("ada")).await.is_ok());
}

#[tokio::test]
async fn a_database_that_is_being_served_is_given_back_only_by_force() {
    let Some(place) = place_of_django().await else { return };
    let store = open(&place).await;
    store.insert_user(person("ada")).await.unwrap();
    let refused = give_back(&place.url(), &PoolOptions::default(), false).await;
    assert!(matches!(refused, Err(StoreError::InUse)), "{refused:?}");
    assert!(look(&place).await.to_add.tables.is_empty());
    give_back(&place.url(), &PoolOptions::default(), true).await.unwrap();
    assert_eq!(look(&place).await.made_by_django, None);
}

#[tokio::test]
async fn a_database_of_a_later_version_is_not_given_back_in_part() {
    let Some(place) = place_of_django().await else { return };
    drop(open(&place).await);
    place.run("INSERT INTO countersign_migration (name) VALUES ('9999_later')");
    let refused = give_back(&place.url(), &PoolOptions::default(), false).await.unwrap_err().to_string();
    assert!(refused.contains("9999_later"), "{refused}");
    assert!(look(&place).await.to_add.tables.is_empty());
}

#[tokio::test]
async fn an_empty_database_is_empty() {
    let Some(place) = place_of_django().await else { return };
    for table in [
        "token_blacklist_blacklistedtoken",
        "token_blacklist_outstandingtoken",
        "auth_user_user_permissions",
        "auth_user_groups",
        "auth_group_permissions",
        "auth_permission",
        "auth_group",
        "auth_user",
        "django_content_type",
        "django_migrations",
    ] {
        place.run(&format!("DROP TABLE {table}"));
    }
    let findings = look(&place).await;
    assert!(findings.is_empty && findings.differences.len() == 10);
    assert_eq!((findings.last_user, findings.last_token), (0, 0));
}

#[tokio::test]
async fn each_difference_from_djangos_tables_is_told_and_only_what_matters_is_an_obstacle() {
    for (change, expected) in [
        ("DROP TABLE token_blacklist_blacklistedtoken", vec!["the table token_blacklist_blacklistedtoken is missing"]),
        ("ALTER TABLE auth_user DROP COLUMN first_name", vec!["the column auth_user.first_name is missing"]),
        (
            "ALTER TABLE auth_user ADD COLUMN phone varchar(20) NULL",
            vec!["the column auth_user.phone is not Django's (harmless)"],
        ),
        (
            "ALTER TABLE auth_user ADD COLUMN tenant integer NOT NULL DEFAULT 1",
            vec!["the column auth_user.tenant is not Django's (harmless)"],
        ),
        (
            "ALTER TABLE auth_user RENAME COLUMN last_name TO surname",
            vec![
                "the column auth_user.last_name is missing",
                "the column auth_user.surname is not Django's, takes no NULL and has no default, so that no row could \
                 be added without knowing what belongs there",
            ],
        ),
        (
            "ALTER TABLE auth_group RENAME COLUMN name TO label",
            vec![
                "the column auth_group.name is missing",
                "the column auth_group.label is not Django's (harmless)",
                "the table auth_group has no unique constraint on name",
            ],
        ),
        (
            "ALTER TABLE auth_user DROP COLUMN first_name;
             ALTER TABLE auth_user ADD COLUMN first_name varchar(200) NOT NULL DEFAULT ''",
            vec!["the column auth_user.first_name is varchar(200), where Django makes varchar(150) (harmless)"],
        ),
        (
            "ALTER TABLE auth_user DROP COLUMN last_name;
             ALTER TABLE auth_user ADD COLUMN last_name varchar(30) NOT NULL DEFAULT ''",
            vec!["the column auth_user.last_name is varchar(30), where Django makes varchar(150)"],
        ),
        (
            "DROP TABLE token_blacklist_blacklistedtoken;
             CREATE TABLE token_blacklist_blacklistedtoken
                 (id integer DEFAULT 1 NOT NULL PRIMARY KEY, blacklisted_at text NULL, token_id varchar(9) NOT NULL)",
            vec![
                "the column token_blacklist_blacklistedtoken.blacklisted_at is text, where Django makes timestamp",
                "the column token_blacklist_blacklistedtoken.blacklisted_at takes NULL, which Django's does not",
                "the column token_blacklist_blacklistedtoken.token_id is varchar(9), where Django makes integer",
                "the table token_blacklist_blacklistedtoken has no unique constraint on token_id",
            ],
        ),
    ] {
        let Some(place) = place_of_django().await else { return };
        place.run(change);
        let found: Vec<String> = told(&look(&place).await)
            .iter()
            .map(|line| line.replace("character varying(", "varchar("))
            .collect();
        assert_eq!(found, expected, "{change}");
    }
}

#[tokio::test]
async fn an_index_for_some_rows_only_makes_nothing_unique() {
    let Some(place) = place_of_django().await else { return };
    let index = "DROP INDEX auth_user_groups_user_id_group_id_94350c0c_uniq";
    if place.refuses(index) {
        let name = "auth_user_groups_user_id_group_id_94350c0c_uniq";
        place.run(&format!("ALTER TABLE auth_user_groups DROP CONSTRAINT {name}"));
    } else {
        assert!(place.refuses(index), "it is gone");
    }
    let missing = ["the table auth_user_groups has no unique constraint on group_id,user_id"];
    assert_eq!(told(&look(&place).await), missing);
    place.run("CREATE UNIQUE INDEX for_some ON auth_user_groups (user_id, group_id) WHERE user_id > 5");
    assert_eq!(told(&look(&place).await), missing);
    place.run("CREATE UNIQUE INDEX for_all ON auth_user_groups (user_id, group_id)");
    assert_eq!(told(&look(&place).await), [""; 0]);
}

#[tokio::test]
async fn migrations_that_are_missing_or_of_a_later_django_are_named() {
    let Some(place) = place_of_django().await else { return };
    place.run(
        "DELETE FROM django_migrations WHERE name = '0012_alter_user_first_name_max_length';
         UPDATE django_migrations SET name = '0014_later' WHERE name = '0013_alter_blacklistedtoken_options_and_more'",
    );
    let findings = look(&place).await;
    let of = |application| findings.migrations.iter().find(|of| of.application == application).unwrap();
    assert_eq!(of("auth").missing, ["0012_alter_user_first_name_max_length"]);
    assert_eq!(of("token_blacklist").missing, ["0013_alter_blacklistedtoken_options_and_more"]);
    assert_eq!(of("token_blacklist").unknown, ["0014_later"]);
}

#[tokio::test]
async fn users_and_tokens_are_seen_in_the_order_of_their_ids_each_once() {
    let Some((place, store)) = Place::open().await else { return };
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(NewUser { is_active: false, is_staff: true, ..person("bob") }).await.unwrap();
    store.record_token(token("one", Some(ada))).await.unwrap();
    store.blacklist_token(token("two", Some(bob)), None, after_noon(1)).await.unwrap();
    let prospect = prospect(&place);
    let users = prospect.users_after(None).await.unwrap();
    let seen: Vec<_> = users
        .iter()
        .map(|user| (user.username.as_str(), user.is_active, user.is_staff, user.is_superuser))
        .collect();
    assert_eq!(seen, [("ada", true, false, false), ("bob", false, true, false)]);
    assert_eq!(users[0].password.as_str(), "!unusable");
    assert_eq!(prospect.users_after(Some(ada)).await.unwrap().len(), 1);
    assert!(prospect.users_after(Some(bob)).await.unwrap().is_empty());
    for (now, is_live) in [(noon(), true), (after_noon(86_401), false)] {
        let tokens = prospect.tokens_after(0, now).await.unwrap();
        let seen: Vec<_> = tokens.iter().map(|token| (token.is_live, token.is_blacklisted)).collect();
        assert_eq!(seen, [(is_live, false), (is_live, true)]);
    }
}

#[tokio::test]
async fn users_of_a_model_of_the_projects_own_are_noticed() {
    let Some(place) = place_of_django().await else { return };
    assert_eq!(look(&place).await.other_users, None);
    place.run(
        "DROP TABLE token_blacklist_blacklistedtoken;
         DROP TABLE token_blacklist_outstandingtoken;
         CREATE TABLE people_person (id integer PRIMARY KEY);
         CREATE TABLE token_blacklist_outstandingtoken
             (id integer PRIMARY KEY, user_id integer NULL REFERENCES people_person (id))",
    );
    assert_eq!(look(&place).await.other_users.as_deref(), Some("people_person"));
}
