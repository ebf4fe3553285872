//! Every column is moved, and every statement keeps their order.

use rusqlite::Connection;

use super::*;
use crate::moving::inserts::{into_postgres, into_sqlite};

const MIGRATIONS: [&str; 7] = [
    include_str!("../../../../../migrations/sqlite/0001_django_tables.sql"),
    include_str!("../../../../../migrations/sqlite/0002_sessions.sql"),
    include_str!("../../../../../migrations/sqlite/0003_signing_keys.sql"),
    include_str!("../../../../../migrations/sqlite/0004_import.sql"),
    include_str!("../../../../../migrations/sqlite/0005_attempts.sql"),
    include_str!("../../../../../migrations/sqlite/0006_events.sql"),
    include_str!("../../../../../migrations/sqlite/0007_mail.sql"),
];
/// Tables that say how their database came to be and what was done there, and those of what is over within a day.
const LEFT: [&str; 7] = [
    "countersign_attempt",
    "countersign_event",
    "countersign_event_chain",
    "countersign_import",
    "countersign_mail",
    "countersign_refusal",
    "django_migrations",
];

fn rows<const N: usize>(connection: &Connection, sql: &str) -> Vec<[String; N]> {
    let mut statement = connection.prepare(sql).expect("it is SQL");
    let row = |row: &rusqlite::Row<'_>| {
        let mut texts = [const { String::new() }; N];
        for (index, text) in texts.iter_mut().enumerate() {
            *text = row.get(index)?;
        }
        Ok(texts)
    };
    statement.query_map([], row).expect("it runs").map(|row| row.expect("texts")).collect()
}

#[test]
fn every_table_is_moved_with_all_of_its_columns_or_known_to_stay() {
    let connection = Connection::open_in_memory().expect("there is memory");
    connection.execute_batch(&MIGRATIONS.concat()).expect("they are SQL");
    let there = rows::<3>(
        &connection,
        "SELECT t.name, c.name, c.[notnull] || '' FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
          WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
    );
    let mut there: Vec<_> = there.into_iter().filter(|[table, ..]| !LEFT.contains(&table.as_str())).collect();
    let all = COPIED.iter().copied().chain([&CONTENT_TYPES, &PERMISSIONS]);
    let columns = all.flat_map(|table| table.columns.iter().map(|column| (table.name, column)));
    let mut moved: Vec<_> = columns
        .map(|(table, column)| {
            [table.to_owned(), column.name.to_owned(), i32::from(column.is_required).to_string()]
        })
        .collect();
    there.sort();
    moved.sort();
    assert_eq!(moved, there);
}

#[test]
fn every_statement_names_the_columns_of_its_table_in_their_order() {
    for table in COPIED {
        let names = table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let one_line = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(one_line(table.page).starts_with(&format!("SELECT {names} FROM {} ", table.name)));
        let into = format!("INSERT INTO {} ({names}) ", table.name);
        assert!(one_line(into_sqlite(table)).starts_with(&format!("{into}VALUES ($1, ")));
        assert!(one_line(into_postgres(table)).starts_with(&format!("{into}SELECT {names} FROM json_")));
    }
}
