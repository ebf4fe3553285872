//! What refers to a user or a token: tables that applications of Django's have made, of which we know only that they may exist.

use countersign_domain::UserId;
use rusqlite::Connection;

use crate::sqlite::{all, first};

/// A table with a row that refers to this user, if there is one.
pub(crate) fn find_table_that_refers_to(
    connection: &Connection,
    id: UserId,
) -> rusqlite::Result<Option<String>> {
    let references: Vec<(String, String)> = all(
        connection,
        "SELECT t.name, f.[from] FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
          WHERE t.type = 'table' AND f.[table] = 'auth_user'",
        &[],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for (table, column) in references {
        let sql = format!("SELECT 1 FROM {} WHERE {} = $1 LIMIT 1", quoted(&table), quoted(&column));
        if first(connection, &sql, &[&id.get()], |_| Ok(()))?.is_some() {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// A table that refers to recorded tokens, beside Simple JWT's own, if there is one; whether it has rows is not asked.
pub(crate) fn find_table_that_refers_to_tokens(connection: &Connection) -> rusqlite::Result<Option<String>> {
    first(
        connection,
        "SELECT t.name FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
          WHERE t.type = 'table' AND f.[table] = 'token_blacklist_outstandingtoken'
            AND t.name <> 'token_blacklist_blacklistedtoken'",
        &[],
        |row| row.get(0),
    )
}

/// A name as SQL, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
