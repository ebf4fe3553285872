//! Accounts on their way: into another database and back, into a fixture and out of it, whole or not at all.

use countersign_store::{MoveError, Moved, PoolOptions, Source, Store};
use tokio::sync::Notify;

use super::place::{Place, noon, person};

/// Tables and the columns that are the same wherever the rows are. Ids of permissions are a database's own.
const EQUAL: [&str; 8] = [
    "SELECT id, name FROM auth_group ORDER BY id",
    "SELECT id, password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active,
            date_joined FROM auth_user ORDER BY id",
    "SELECT id, user_id, group_id FROM auth_user_groups ORDER BY id",
    "SELECT m.id, m.user_id, t.app_label, t.model, p.codename, p.name FROM auth_user_user_permissions AS m
       JOIN auth_permission AS p ON p.id = m.permission_id JOIN django_content_type AS t ON t.id = p.content_type_id
      ORDER BY m.id",
    "SELECT m.id, m.group_id, t.app_label, t.model, p.codename, p.name FROM auth_group_permissions AS m
       JOIN auth_permission AS p ON p.id = m.permission_id JOIN django_content_type AS t ON t.id = p.content_type_id
      ORDER BY m.id",
    "SELECT id, token, created_at, expires_at, user_id, jti FROM token_blacklist_outstandingtoken ORDER BY id",
    "SELECT id, blacklisted_at, token_id FROM token_blacklist_blacklistedtoken ORDER BY id",
    "SELECT id, user_id, generation, replaced_jti, rotated_at, created_at, last_seen_at, expires_at, ended_at,
            ended_because, address, client FROM countersign_session ORDER BY id",
];
const KEYS: &str = "SELECT kid, algorithm, state, created_at, changed_at FROM countersign_key ORDER BY kid";
const SEALED: &str =
    "SELECT 1 FROM countersign_key WHERE sealed = (SELECT sealed FROM countersign_key WHERE kid = 'a')";

/// With ids that do not follow each other, a permission and a content type that are not Django's, and all that can
/// be NULL.
const PEOPLE: &str = "
    INSERT INTO django_content_type (id, app_label, model) VALUES (700, 'shop', 'order');
    INSERT INTO auth_permission (id, content_type_id, codename, name) VALUES (900, 700, 'pack_order', 'Can \"pack\" ü');
    INSERT INTO auth_group (id, name) VALUES (3, 'writers'), (70, 'Leser ü');
    INSERT INTO auth_group_permissions (id, group_id, permission_id) VALUES (4, 70, 900), (9, 3, 10), (11, 70, 9);
    INSERT INTO auth_user (id, password, last_login, is_superuser, username, first_name, last_name, email, is_staff,
                           is_active, date_joined) VALUES
        (5, 'pbkdf2_sha256$1$a$b', '2026-01-02 03:04:05.000006', TRUE, 'ada', 'Ada', 'Lovelace', 'ada@example.com', TRUE,
         TRUE, '2026-01-01 00:00:00'),
        (1000, '!unusable', NULL, FALSE, 'bob \"the\" \\ ü', '', '', '', FALSE, FALSE, '1999-12-31 23:59:59.512345');
    INSERT INTO auth_user_groups (id, user_id, group_id) VALUES (8, 5, 70), (9, 5, 3), (12, 1000, 3);
    INSERT INTO auth_user_user_permissions (id, user_id, permission_id) VALUES (2, 5, 900), (3, 1000, 24), (4, 5, 1);
    INSERT INTO token_blacklist_outstandingtoken (id, token, created_at, expires_at, user_id, jti) VALUES
        (20, 'a.b.c', '2026-01-01 00:00:00', '2026-01-02 00:00:00.250001', 5, 'one'),
        (21, 'd.e.f', NULL, '2026-01-02 00:00:00', NULL, 'two');
    INSERT INTO token_blacklist_blacklistedtoken (id, blacklisted_at, token_id) VALUES (30, '2026-01-01 12:00:00', 21);
    INSERT INTO countersign_session (id, user_id, generation, replaced_jti, rotated_at, created_at, last_seen_at, expires_at,
                                     ended_at, ended_because, address, client) VALUES
        ('00000000000000000000000000000001', 5, 3, 'jti', 1, 2, 3, 4, NULL, NULL, '127.0.0.1', 'a browser'),
        ('ffffffffffffffffffffffffffffffff', 1000, 0, NULL, 1, 2, 3, 4, 5, 'logged_out', NULL, '')";

fn many(count: u32) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                                date_joined)
         SELECT i, '!', FALSE, 'user' || i, '', '', '', FALSE, TRUE, '2026-01-01 00:00:00' FROM n"
    )
}

/// What belongs to a database of our own, which a fixture does not hold.
async fn with_people() -> Option<Place> {
    let (place, store) = Place::open().await?;
    drop(store);
    place.run(PEOPLE);
    let sealed = if place.url().to_string().starts_with("sqlite:") { "x'00ff'" } else { "'\\x00ff'::bytea" };
    place.run(&format!(
        "INSERT INTO countersign_key (kid, algorithm, state, sealed, created_at, changed_at) VALUES
             ('a', 'ES256', 'signing', {sealed}, 1, 2), ('b', 'ES256', 'retired', NULL, 1, 2)"
    ));
    Some(place)
}

async fn source(place: &Place) -> Source {
    Source::open(&place.url(), &PoolOptions::default()).await.unwrap()
}

async fn copy(from: &Source, to: &Store) -> Result<Moved, MoveError> {
    from.copy_into(Some(to), noon(), |_| ()).await
}

async fn export(place: &Place) -> String {
    let mut fixture = Vec::new();
    source(place).await.write_fixture(&mut fixture, |_| ()).await.unwrap();
    String::from_utf8(fixture).unwrap()
}

fn refused<T>(outcome: Result<T, MoveError>) -> String {
    match outcome {
        Err(MoveError::Refused(why)) => why,
        Err(other) => panic!("it fails otherwise: {other}"),
        Ok(_) => panic!("it is taken"),
    }
}

fn of_fixture(text: &str) -> Result<Source, MoveError> {
    Source::from_fixture("people.json", text.as_bytes())
}

#[tokio::test]
async fn everything_is_there_after_a_move_to_sqlite_and_back_and_nobody_is_logged_out() {
    let Some(from) = with_people().await else { return };
    let (between, store) = crate::place::Place::open();
    let moved = copy(&source(&from).await, &store).await.unwrap();
    let counts: Vec<_> = moved.rows.into_iter().collect();
    assert_eq!(
        counts,
        [
            ("blacklisted_tokens", 1),
            ("content_types", 7),
            ("group_permissions", 3),
            ("groups", 2),
            ("memberships", 3),
            ("outstanding_tokens", 2),
            ("permissions", 25),
            ("sessions", 2),
            ("signing_keys", 2),
            ("user_permissions", 3),
            ("users", 2)
        ]
    );
    let Some((back, target)) = Place::open().await else { return };
    let between = Source::open(&between.url(), &PoolOptions::default()).await.unwrap();
    let moved = copy(&between, &target).await.unwrap();
    assert!(moved.left_out.is_empty() && !moved.resumed);
    for sql in EQUAL {
        assert_eq!(back.rows(sql), from.rows(sql), "{sql}");
        assert_ne!(from.rows(sql), [""; 0], "{sql}");
    }
    assert_eq!((back.rows(KEYS), back.rows(SEALED)), (from.rows(KEYS), vec!["1".to_owned()]));
    let types = "SELECT id, app_label FROM django_content_type WHERE app_label = 'shop'";
    assert_eq!(back.rows(types), ["7|shop"], "its id is the database's own");
}

#[tokio::test]
async fn the_next_user_gets_an_id_that_nobody_has_had() {
    let Some(there) = with_people().await else { return };
    let old = Store::open(&there.url(), &PoolOptions::default()).await.unwrap();
    let gone = old.insert_user(person("gone")).await.unwrap();
    old.delete_user(gone).await.unwrap();
    let Some((_place, target)) = Place::open().await else { return };
    copy(&source(&there).await, &target).await.unwrap();
    let new = target.insert_user(person("new")).await.unwrap();
    assert!(new > gone, "{new}, and tokens may still name {gone}");
}

#[tokio::test]
async fn a_fixture_of_ours_goes_in_again_and_comes_out_the_same() {
    let Some(from) = with_people().await else { return };
    let fixture = export(&from).await;
    let Some((place, target)) = Place::open().await else { return };
    copy(&of_fixture(&fixture).unwrap(), &target).await.unwrap();
    assert_eq!(export(&place).await, fixture);
    for sql in EQUAL.iter().filter(|sql| {
        !sql.contains("SELECT m.id") && !sql.contains("countersign_") && !sql.contains("_groups ")
    }) {
        assert_eq!(place.rows(sql), from.rows(sql), "{sql}");
    }
    assert!(fixture.contains(r#""last_login":"2026-01-02T03:04:05.000006Z""#));
    assert!(fixture.contains(r#""groups":[3,70],"user_permissions":[["add_permission","auth","permission"],["pack_order","shop","order"]]"#));
    let new = target.insert_user(person("new")).await.unwrap();
    assert_eq!(new.number(), Some(1001));
}

#[tokio::test]
async fn an_import_that_is_cut_short_is_gone_on_with_and_ends_as_if_it_had_not_been() {
    let Some(from) = with_people().await else { return };
    from.run("DELETE FROM auth_user_groups; DELETE FROM auth_user_user_permissions; DELETE FROM token_blacklist_blacklistedtoken; DELETE FROM token_blacklist_outstandingtoken; DELETE FROM auth_user");
    from.run(&many(4_500));
    let Some((place, target)) = Place::open().await else { return };
    let (source, cut) = (source(&from).await, Notify::new());
    let copied = tokio::select! {
        biased;
        () = cut.notified() => None,
        copied = source.copy_into(Some(&target), noon(), |rows| if rows == 1000 { cut.notify_one() }) => Some(copied),
    };
    assert!(copied.is_none(), "it was not cut short");
    let there = place.rows("SELECT count(*) FROM auth_user");
    assert!(there == ["1000"] || there == ["2000"], "{there:?}");
    assert_eq!(target.find_unfinished_import().await.unwrap(), Some(from.url().to_string()));

    let other = of_fixture("[]").unwrap();
    assert!(refused(copy(&other, &target).await).contains("another source, or the source has changed"));
    from.run("UPDATE auth_user SET email = 'new@example.com' WHERE id = 7");
    let changed = Source::open(&from.url(), &PoolOptions::default()).await.unwrap();
    assert!(refused(copy(&changed, &target).await).contains("the source has changed since"));
    from.run("UPDATE auth_user SET email = '' WHERE id = 7");

    let again = Source::open(&from.url(), &PoolOptions::default()).await.unwrap();
    assert!(copy(&again, &target).await.unwrap().resumed);
    for sql in EQUAL {
        assert_eq!(place.rows(sql), from.rows(sql), "{sql}");
    }
    assert_eq!(target.find_unfinished_import().await.unwrap(), None);
    assert!(refused(copy(&again, &target).await).contains("has users already"));
}

#[tokio::test]
async fn what_changes_at_the_source_during_a_move_is_not_half_in_it() {
    let Some(from) = with_people().await else { return };
    let source = source(&from).await;
    assert_eq!(source.count().await.unwrap(), 52);
    if from.url().to_string().starts_with("postgresql:") {
        from.run("DELETE FROM countersign_session");
    } else {
        let store = Store::open(&from.url(), &PoolOptions::default()).await.unwrap();
        store.insert_user(person("late")).await.unwrap();
    }
    assert_eq!(source.count().await.unwrap(), 52);
}

#[tokio::test]
async fn a_database_with_rows_is_not_imported_into() {
    let Some(from) = with_people().await else { return };
    let source = source(&from).await;
    for (row, what) in [
        ("INSERT INTO auth_group (name) VALUES ('one')", "groups"),
        (
            "INSERT INTO countersign_key (kid, algorithm, state, created_at, changed_at) VALUES ('a', 'b', 'next', 1, 1)",
            "signing keys",
        ),
    ] {
        let Some((place, target)) = Place::open().await else { return };
        place.run(row);
        let why = refused(copy(&source, &target).await);
        assert!(
            why.starts_with(&format!("the database has {what} already, and an import needs a fresh one")),
            "{why}"
        );
        assert_eq!(place.rows("SELECT username FROM auth_user"), [""; 0]);
        assert_eq!(target.find_unfinished_import().await.unwrap(), None);
    }
}

// A connection of PostgreSQL ends on another thread, and with it the lock of what it had read.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_finds_what_is_wrong_and_a_source_that_is_not_djangos_is_refused() {
    let Some(from) = with_people().await else { return };
    let looked = source(&from).await.copy_into(None, noon(), |_| ()).await.unwrap();
    assert_eq!(looked.rows["users"], 2);
    from.run("ALTER TABLE auth_user RENAME COLUMN first_name TO given_name");
    let why = refused(Source::open(&from.url(), &PoolOptions::default()).await);
    assert!(
        why.contains("is not what Django 5.2 makes: the column auth_user.first_name is missing; run"),
        "{why}"
    );
}

#[tokio::test]
async fn a_project_without_simple_jwts_blacklist_has_no_tokens_to_bring() {
    let Some(from) = with_people().await else { return };
    from.run("DROP TABLE token_blacklist_blacklistedtoken; DROP TABLE token_blacklist_outstandingtoken");
    let Some((_place, target)) = Place::open().await else { return };
    let moved = copy(&source(&from).await, &target).await.unwrap();
    assert_eq!((moved.rows["users"], moved.rows.get("outstanding_tokens")), (2, None));
}

fn user(pk: &str, change: (&str, &str)) -> String {
    let user = r#"{"model": "auth.user", "pk": PK, "fields": {"password": "!", "last_login": null, "is_superuser": false,
        "username": "ada", "first_name": "", "last_name": "", "email": "", "is_staff": false, "is_active": true,
        "date_joined": "2026-01-01T00:00:00Z", "groups": [], "user_permissions": []}}"#;
    user.replace("PK", pk).replace(change.0, change.1)
}

#[tokio::test]
async fn a_fixture_with_natural_keys_is_understood_with_what_it_leaves_out() {
    let Some((place, target)) = Place::open().await else { return };
    let group = r#"{"model": "auth.group", "fields": {"name": "editors", "permissions": [["add_user", "auth", "user"]]}}"#;
    let natural = r#""groups": [["editors"]], "user_permissions": [["view_group", "auth", "group"]]"#;
    let user = user("null", (r#""groups": [], "user_permissions": []"#, natural));
    let token = r#"{"model": "token_blacklist.outstandingtoken", "pk": 9, "fields": {"user": ["ada"], "jti": "one",
        "token": "a.b.c", "created_at": null, "expires_at": "2026-01-01T01:00:00.5+01:00"}}"#;
    let blacklisted = r#"{"model": "token_blacklist.blacklistedtoken", "pk": 2, "fields": {"token": 9,
        "blacklisted_at": "2026-01-01T00:00:00"}}"#;
    let other = r#"{"model": "shop.order", "pk": 1, "fields": {"user": ["ada"]}}"#;
    // What is referred to by number may come later.
    let fixture = format!("[{blacklisted}, {other}, {group}, {user}, {token}, {other}]");
    let moved = copy(&of_fixture(&fixture).unwrap(), &target).await.unwrap();
    assert_eq!(moved.left_out.into_iter().collect::<Vec<_>>(), [("shop.order".to_owned(), 2)]);
    let ada = target.find_user_by_username("ada").await.unwrap().unwrap();
    assert_eq!(target.list_groups(ada.id).await.unwrap(), ["editors"]);
    assert_eq!(target.list_permissions(ada.id).await.unwrap(), ["auth.add_user", "auth.view_group"]);
    let tokens = "SELECT o.jti, o.expires_at, b.blacklisted_at FROM token_blacklist_outstandingtoken AS o
                    JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id";
    let found = place.rows(tokens).concat();
    assert!(
        found.starts_with("one|2026-01-01 00:00:00.5") && found.ends_with("|2026-01-01 00:00:00"),
        "{found}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_fixture_is_said_with_its_model_and_key_and_what_to_do() {
    let Some((place, target)) = Place::open().await else { return };
    let long = format!("{:?}", "ü".repeat(151));
    for (fixture, expected) in [
        (
            r#"{"model": 1}"#.to_owned(),
            "not a fixture as Django's dumpdata writes one: invalid type: map, expected a list",
        ),
        ("[\n{},\n{\"model\"".replace("{},\n", ""), "line 2 column 8"),
        ("[] []".to_owned(), "trailing characters at line 1 column 4"),
        (
            format!("[{}]", user("1", ("\"ada\"", &long))),
            "auth.user 1: username has 151 characters, and its column takes 150",
        ),
        (
            format!("[{}]", user("1", ("\"ada\"", "null"))),
            "auth.user 1: username is NULL, where a value is required",
        ),
        (
            format!("[{}]", user("1", ("\"ada\"", "7"))),
            "auth.user 1: username is 7, which is of another type",
        ),
        (
            format!("[{}]", user("1", ("\"ada\"", r#""a\u0000""#))),
            "auth.user 1: username has a NUL character",
        ),
        (format!("[{}]", user("1", ("\"email\": \"\",", ""))), "auth.user 1: email is missing"),
        (
            format!("[{}]", user("1", ("\"email\"", "\"phone\": 1, \"email\""))),
            "phone is no field of auth.user",
        ),
        (format!("[{}]", user("\"x\"", ("", ""))), "auth.user \"x\": its pk is no whole number"),
        (
            format!("[{}, {}]", user("1", ("", "")), user("2", ("", ""))),
            "auth.user 2: another one in the file has the same username; remove one",
        ),
        (
            format!("[{}, {}]", user("1", ("", "")), user("1", ("ada", "bob"))),
            "auth.user 1: another one in the file has the same pk",
        ),
        (
            format!("[{}]", user("1", ("\"groups\": []", "\"groups\": [4]"))),
            "auth.user 1: groups refers to auth.group 4, which is not there; correct it",
        ),
        (
            format!("[{}]", user("1", ("\"groups\": []", "\"groups\": [[\"x\"]]"))),
            "auth.user 1: it refers to auth.group [\"x\"], which does not come before it in the file; dump auth.group too",
        ),
        (
            format!("[{}]", user("3000000000", ("", ""))),
            "auth.user 3000000000: id is 3000000000, and an integer",
        ),
        (
            format!(
                "[{}, {}]",
                user("null", ("", "")),
                r#"{"model": "token_blacklist.outstandingtoken", "pk": 9, "fields":
                {"user": 1, "jti": "one", "token": "", "created_at": null, "expires_at": "2026-01-01T01:00:00Z"}}"#
            ),
            "the file refers to auth.user by number, and leaves the numbers of auth.user out; dump it with --natural-foreign",
        ),
        (
            format!("[{}]", user("1", ("auth.user", "people.person"))),
            "its users are in people.person, a user model of the project's own",
        ),
    ] {
        for is_look in [true, false] {
            let outcome = match of_fixture(&fixture) {
                Ok(source) => {
                    source.copy_into(Some(&target).filter(|_| !is_look), noon(), |_| ()).await.map(drop)
                }
                Err(error) => Err(error),
            };
            let why = refused(outcome);
            assert!(why.contains(expected), "{why}\nand not: {expected}");
        }
        assert_eq!(place.rows("SELECT username FROM auth_user"), [""; 0]);
        place.run("DELETE FROM countersign_import");
    }
}
