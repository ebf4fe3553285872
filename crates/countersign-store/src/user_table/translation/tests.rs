//! What statements become, and that every one of the sources becomes one that its tables take.

use countersign_domain::{LoginField, UserIdKind};
use rusqlite::Connection;

use super::super::Join;
use super::*;
use crate::engine::Value;

#[path = "../../../tests/it/sources.rs"]
#[expect(dead_code, reason = "what moves accounts knows no other tables than Django's")]
mod sources;

fn join(table: &str, user: &str) -> Join {
    Join { table: table.to_owned(), user: user.to_owned() }
}

fn members() -> Described {
    Described {
        table: "Mem\"bers".to_owned(),
        groups: join("Mem\"bers_groups", "member_id"),
        permissions: join("Mem\"bers_user_permissions", "member_id"),
        key: UserIdKind::Number,
        login: LoginField::Username,
        missing: Vec::new(),
        is_on_sqlite: true,
    }
}

fn people() -> Described {
    Described {
        table: "people".to_owned(),
        groups: join("people_groups", "person_id"),
        permissions: join("people_user_permissions", "person_id"),
        key: UserIdKind::Uuid,
        login: LoginField::Email,
        missing: vec!["first_name", "last_name"],
        is_on_sqlite: true,
    }
}

fn translated(sql: &str, users: &Described) -> String {
    translate(sql, users).unwrap().to_string()
}

#[test]
fn names_are_replaced_word_by_word_and_quoted() {
    for (sql, expected) in [
        ("SELECT id FROM auth_user WHERE username = $1", r#"SELECT id FROM "Mem""bers" WHERE username = $1"#),
        ("SELECT 'auth_user' FROM auth_user_2", "SELECT 'auth_user' FROM auth_user_2"),
        (r#"SELECT "auth_user", [user_id]"#, r#"SELECT "auth_user", [user_id]"#),
        ("SELECT auth_user.id FROM auth_user", r#"SELECT "Mem""bers".id FROM "Mem""bers""#),
        (
            "DELETE FROM auth_user_groups WHERE user_id = $1",
            r#"DELETE FROM "Mem""bers_groups" WHERE "member_id" = $1"#,
        ),
        (
            "DELETE FROM countersign_session WHERE user_id = $1",
            "DELETE FROM countersign_session WHERE user_id = $1",
        ),
    ] {
        assert_eq!(translated(sql, &members()), expected);
    }
}

#[test]
fn the_column_of_a_join_is_told_from_those_of_the_same_name() {
    for (sql, expected) in [
        (
            "SELECT s.id FROM countersign_session AS s JOIN auth_user_groups AS m ON m.user_id = s.user_id",
            r#"SELECT s.id FROM countersign_session AS s JOIN "people_groups" AS m ON "m"."person_id" = s.user_id"#,
        ),
        (
            "WITH a AS (DELETE FROM auth_user_groups WHERE user_id = $1), b AS (DELETE FROM countersign_session WHERE user_id = $1)",
            r#"WITH a AS (DELETE FROM "people_groups" WHERE "person_id" = $1), b AS (DELETE FROM countersign_session WHERE user_id = $1)"#,
        ),
        (
            "SELECT user_id FROM countersign_session UNION SELECT user_id FROM auth_user_groups",
            r#"SELECT user_id FROM countersign_session UNION SELECT "person_id" FROM "people_groups""#,
        ),
        (
            "SELECT 1 FROM countersign_session WHERE EXISTS (SELECT 1 FROM auth_user_groups WHERE (user_id = $1))",
            r#"SELECT 1 FROM countersign_session WHERE EXISTS (SELECT 1 FROM "people_groups" WHERE ("person_id" = $1))"#,
        ),
    ] {
        assert_eq!(translated(sql, &people()), expected.replace("\"m\"", "m"));
    }
    let ambiguous = "SELECT 1 FROM countersign_session, auth_user_groups WHERE user_id = $1";
    assert!(translate(ambiguous, &people()).unwrap_err().contains("may be that of"));
}

#[test]
fn what_has_no_column_is_not_written_and_reads_as_nothing() {
    let select = "SELECT id, username, first_name FROM auth_user";
    assert_eq!(translated(select, &people()), "SELECT id, email, '' FROM \"people\"");

    let update = "UPDATE auth_user SET first_name = COALESCE($2, first_name), email = $3, last_name = $4 WHERE id = $1";
    let statement = translate(update, &people()).unwrap();
    assert_eq!(statement.replace(' ', ""), "UPDATE\"people\"SETemail=$2WHEREid=$1");
    let values = [1_i64, 2, 3, 4].map(Value::from);
    let kept: Vec<_> = statement.values(&values).iter().map(number).collect();
    assert_eq!(kept, [Some(1), Some(3)]);
    assert!(translate("UPDATE auth_user SET last_name = $1", &people()).is_err());

    let insert = "INSERT INTO auth_user (username, email, first_name, is_staff) VALUES ($1, lower($2), $3, $4) RETURNING id";
    let statement = translate(insert, &people()).unwrap();
    let text = statement.replace(' ', "");
    assert!(text.starts_with("INSERTINTO\"people\"(id,email,is_staff)VALUES(lower(hex("), "{text}");
    assert!(text.ends_with(",lower($1),$2)RETURNINGid"), "{text}");
    let kept: Vec<_> = statement.values(&values).iter().map(number).collect();
    assert_eq!(kept, [Some(2), Some(4)]);
    let on_postgres = Described { is_on_sqlite: false, ..people() };
    assert!(translated(insert, &on_postgres).contains("VALUES (gen_random_uuid(), "));
    assert!(translate("INSERT INTO auth_user SELECT 1", &people()).is_err());
}

fn number(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => *number,
        _ => None,
    }
}

/// Those that SQLite runs.
fn statements() -> Vec<String> {
    let all = sources::statements_of(&sources::OF_ACCOUNTS).into_iter();
    all.filter(|text| {
        ![" FOR UPDATE", " FOR NO KEY UPDATE", " FOR KEY SHARE", "unnest(", "pg_advisory", " COLLATE "]
            .iter()
            .any(|ours| text.contains(ours))
    })
    .collect()
}

/// Our tables and Django's, where those of users are other ones.
fn database(users: &Described) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(include_str!("../../../../../migrations/sqlite/0001_django_tables.sql"))
        .unwrap();
    connection.execute_batch(include_str!("../../../../../migrations/sqlite/0002_sessions.sql")).unwrap();
    connection.execute_batch(include_str!("../../../../../migrations/sqlite/0003_signing_keys.sql")).unwrap();
    connection.execute_batch(include_str!("../../../../../migrations/sqlite/0006_events.sql")).unwrap();
    connection.execute_batch(include_str!("../../../../../migrations/sqlite/0007_mail.sql")).unwrap();
    connection.execute_batch("CREATE TABLE countersign_migration (name)").unwrap();
    let [table, groups, permissions] =
        [&users.table, &users.groups.table, &users.permissions.table].map(|name| quoted(name));
    let user = &users.groups.user;
    let rest = match users.login {
        LoginField::Username => "username, first_name, last_name,",
        LoginField::Email => "",
    };
    connection
        .execute_batch(&format!(
            "DROP TABLE token_blacklist_blacklistedtoken; DROP TABLE token_blacklist_outstandingtoken;
             CREATE TABLE token_blacklist_blacklistedtoken (id, blacklisted_at, token_id UNIQUE);
             CREATE TABLE token_blacklist_outstandingtoken
                 (id, token, created_at, expires_at, user_id, jti UNIQUE);
             DROP TABLE auth_user; DROP TABLE auth_user_groups; DROP TABLE auth_user_user_permissions;
             CREATE TABLE {table} (id, password, email, {rest} is_active, is_staff, is_superuser, last_login, date_joined);
             CREATE TABLE {groups} (id, {user}, group_id);
             CREATE TABLE {permissions} (id, {user}, permission_id);"
        ))
        .unwrap();
    connection
}

#[test]
fn every_statement_of_the_sources_is_translated_to_one_that_the_tables_take() {
    let statements = statements();
    assert!(statements.len() >= 36, "{statements:#?}");
    for users in [members(), people()] {
        let database = database(&users);
        for sql in &statements {
            let statement = translate(sql, &users).unwrap_or_else(|why| panic!("{why}: {sql}"));
            let prepared = database.prepare(&statement).map(|prepared| prepared.parameter_count());
            let parameters = prepared.unwrap_or_else(|error| panic!("{error}: {}", &*statement));
            let values = vec![Value::from(1_i64); 20];
            let given = statement.values(&values).len();
            assert!(given == 20 || given == parameters, "{}", &*statement);
            let is_of_django = tokens(sql).iter().any(|token| token.text.starts_with(USERS));
            assert!(is_of_django || &*statement == sql.as_str() || sql.contains("username"), "{sql}");
        }
    }
}
