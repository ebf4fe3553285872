//! What refers to a user or a token: tables that applications of Django's have made, of which we know only that they may
//! exist. Foreign keys are checked at the commit; SQLite's writes share that, so there none may be broken by then, and
//! what would break one is looked for beforehand. PostgreSQL is asked to check at once.

use countersign_domain::UserId;
use rusqlite::Connection;

use crate::StoreError;
use crate::engine::Transaction;
use crate::sqlite::{Writer, all, first};

/// Refuses on SQLite, with the name of the table, if one has a row that refers to this user.
pub(crate) async fn refuse_if_referred_to(
    transaction: &mut Transaction<'_>,
    id: UserId,
) -> Result<(), StoreError> {
    match transaction {
        Transaction::Sqlite(writer) => match find_table_that_refers_to(writer, id)? {
            Some(table) => Err(StoreError::UserReferenced(table)),
            None => Ok(()),
        },
        Transaction::Postgres(_) => Ok(()),
    }
}

/// Refuses on SQLite, with the name of the table, if one beside Simple JWT's own may refer to recorded tokens.
pub(crate) async fn refuse_if_tokens_are_referred_to(
    transaction: &mut Transaction<'_>,
) -> Result<(), StoreError> {
    match transaction {
        Transaction::Sqlite(connection) => match find_table_that_refers_to_tokens(connection)? {
            Some(table) => Err(StoreError::TokensReferenced(table)),
            None => Ok(()),
        },
        Transaction::Postgres(_) => Ok(()),
    }
}

/// Fails on PostgreSQL with [`StoreError::Referenced`] if this transaction has broken a foreign key.
pub(crate) async fn check_references(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    match transaction {
        Transaction::Sqlite(_) => Ok(()),
        Transaction::Postgres(transaction) => {
            transaction.run_script("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED").await
        }
    }
}

fn find_table_that_refers_to(writer: &Writer, id: UserId) -> Result<Option<String>, StoreError> {
    let references: Vec<(String, String)> = all(
        writer,
        "SELECT t.name, f.[from] FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
          WHERE t.type = 'table' AND f.[table] = $1",
        &[writer.users.name().into()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for (table, column) in references {
        let sql = format!("SELECT 1 FROM {} WHERE {} = $1 LIMIT 1", quoted(&table), quoted(&column));
        if first(writer, &sql, &[id.into()], |_| Ok(()))?.is_some() {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// Whether the table has rows is not asked.
fn find_table_that_refers_to_tokens(connection: &Connection) -> Result<Option<String>, StoreError> {
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
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
