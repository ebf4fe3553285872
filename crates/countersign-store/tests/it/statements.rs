//! Each statement of the crate, read from its source: the plan that SQLite makes for it, and how values reach it.
//!
//! That the contract runs each is guarded on PostgreSQL only (`postgres_statements`): SQLite tells what it ran through a
//! callback that cannot be set without `unsafe`. The text is the same, and so are the functions that the contract calls.

use rusqlite::Connection;

use crate::place::{Place, after_noon, end_tokens_of, ending, noon, person, rows, token};
use crate::sources::{OF_ACCOUNTS, OF_MOVING, ON_SQLITE, statements_of};

/// Those that read all of a table: in the order of the sources, and whether SQLite does so too.
const KNOWN_SCANS: [(&str, bool); 12] = [
    // The oldest and the newest accounts, by the index and no more than so many.
    ("SELECT password FROM auth_user ORDER BY id LIMIT $1", true),
    ("SELECT password FROM auth_user ORDER BY id DESC LIMIT $1", true),
    ("SELECT count(*) FROM token_blacklist_outstandingtoken WHERE expires_at <= $1", true),
    ("SELECT count(*) FROM countersign_session WHERE COALESCE(ended_at, expires_at) <= $1", true),
    ("SELECT count(*) FROM countersign_session WHERE ended_at IS NULL AND expires_at > $1", true),
    (
        "SELECT c.app_label || '.' || p.codename FROM auth_permission AS p JOIN django_content_type AS c \
         ON c.id = p.content_type_id",
        true,
    ),
    (
        "SELECT kid, algorithm, state, sealed, created_at, changed_at FROM countersign_key ORDER BY created_at, kid",
        true,
    ),
    // Of an adoption, which looks at everything once.
    (
        "SELECT o.id, o.expires_at > $2, b.id IS NOT NULL FROM token_blacklist_outstandingtoken AS o \
         LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.id > $1 \
         ORDER BY o.id LIMIT $3",
        false,
    ),
    ("SELECT app, name FROM django_migrations ORDER BY id", true),
    // No index is worth it to PostgreSQL for the few rows that this table has.
    ("SELECT 1 FROM countersign_migration WHERE name = $1", false),
    ("SELECT count(*) FROM countersign_key WHERE sealed IS NOT NULL", true),
    // Along the index, over no more rows than are kept.
    (
        "DELETE FROM countersign_refusal WHERE at <= (SELECT at FROM countersign_refusal ORDER BY at DESC LIMIT 1 OFFSET $1)",
        true,
    ),
];
/// Along the index, over no more rows than wait. PostgreSQL has a condition on its second column for it.
const KNOWN_SCAN_ON_SQLITE: &str = "SELECT id, kind, address, created_at, attempts FROM countersign_mail \
    WHERE next_attempt_at <= $1 AND kind IN ($2) ORDER BY attempts, next_attempt_at LIMIT 1";
/// What the statements call the rows of their own parts, as SQLite shows them.
const NOT_TABLES: [&str; 5] = ["CONSTANT ROW", "one", "next", "of_sessions", "of_tokens"];

/// Every statement of the crate that PostgreSQL runs.
pub fn all_statements() -> Vec<String> {
    let statements = statements_of(&[&OF_ACCOUNTS[..], &OF_MOVING].concat());
    statements.into_iter().filter(|text| !is_for_sqlite(text)).collect()
}

/// Whether PostgreSQL has a text of its own beside it.
fn is_for_sqlite(text: &str) -> bool {
    text.contains("lower(email) = ")
        || text.ends_with("WHERE id = $1 AND last_seen_at <= $2 - $3 AND ended_at IS NULL")
}

/// The statements that are known to read all of a table on PostgreSQL, or on SQLite.
pub fn known_scans(on_postgresql: bool) -> Vec<&'static str> {
    let scans = KNOWN_SCANS.into_iter().filter(|(_, on_sqlite)| on_postgresql || *on_sqlite);
    scans.map(|(sql, _)| sql).chain((!on_postgresql).then_some(KNOWN_SCAN_ON_SQLITE)).collect()
}

/// Whether it counts a whole table, or only asks whether there is a row: no index could help.
pub fn reads_all_or_one(sql: &str) -> bool {
    !sql.contains(" WHERE ")
        && (sql.starts_with("SELECT count(*) FROM ") || sql.starts_with("SELECT 1 FROM "))
}

/// Those that SQLite runs.
fn statements() -> Vec<String> {
    statements_of(&[&OF_ACCOUNTS[..], &OF_MOVING].concat())
        .into_iter()
        .filter(|text| {
            !text.contains(" FOR UPDATE")
                && !text.contains(" FOR NO KEY UPDATE")
                && !text.contains(" FOR KEY SHARE")
                && !text.contains("unnest(")
                && !text.contains("pg_advisory")
                && !text.contains(" COLLATE ")
        })
        .chain(statements_of(&ON_SQLITE))
        .collect()
}

fn scans(connection: &Connection, sql: &str) -> bool {
    let plan = rows(connection, &format!("EXPLAIN QUERY PLAN {sql}"));
    let is_of_a_table =
        |step: &String| step.split_once("|SCAN ").is_some_and(|(_, what)| !NOT_TABLES.contains(&what));
    plan.iter().any(is_of_a_table)
}

#[test]
fn no_statement_scans_a_table_but_those_that_are_for_all_of_it() {
    let (place, _store) = Place::open();
    let outside = place.outside();
    let statements = statements();
    assert!(statements.len() >= 36, "some were not found in the source: {statements:#?}");
    let scanning: Vec<String> =
        statements.into_iter().filter(|sql| !reads_all_or_one(sql) && scans(&outside, sql)).collect();
    assert_eq!(scanning, known_scans(false));
}

#[test]
fn a_search_without_an_index_counts_as_a_scan() {
    let (place, _store) = Place::open();
    assert!(scans(&place.outside(), "SELECT id FROM auth_user WHERE email = $1"));
}

#[test]
fn sqlite_numbers_parameters_by_first_appearance_which_is_why_they_are_bound_by_name() {
    let connection = Connection::open_in_memory().unwrap();
    let mut statement = connection.prepare("SELECT $2, $1").unwrap();
    assert_eq!(statement.parameter_index("$2").unwrap(), Some(1));
    let by_position: (String, String) =
        statement.query_row(["first", "second"], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(by_position, ("first".to_owned(), "second".to_owned()), "$2 got the first value");
}

#[tokio::test]
async fn a_statement_with_its_second_value_before_its_first_gets_each_in_its_place() {
    let (place, store) = Place::open();
    let ada = store.insert_user(person("ada")).await.unwrap();
    store.record_token(token("other", Some(ada))).await.unwrap();
    store.blacklist_token(token("one", Some(ada)), None, after_noon(1)).await.unwrap();
    let blacklisted = "SELECT o.jti, b.blacklisted_at FROM token_blacklist_blacklistedtoken AS b
                         JOIN token_blacklist_outstandingtoken AS o ON o.id = b.token_id ORDER BY b.id";
    assert_eq!(place.rows(blacklisted), ["one|2026-01-01 12:00:01"]);
    end_tokens_of(&store, ada, ending(noon())).await;
    assert_eq!(place.rows(blacklisted), ["one|2026-01-01 12:00:01", "other|2026-01-01 12:00:00"]);
}
