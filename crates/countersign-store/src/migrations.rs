//! Brings a database up to the tables of this version: plain SQL files, in order, each once, each with its record
//! in `countersign_migration` in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use crate::StoreError;
use crate::sqlite::{all, execute};

/// Name and text of each migration, oldest first. A released one is never edited.
const MIGRATIONS: [(&str, &str); 3] = [
    ("0001_django_tables", include_str!("../../../migrations/sqlite/0001_django_tables.sql")),
    ("0002_sessions", include_str!("../../../migrations/sqlite/0002_sessions.sql")),
    ("0003_signing_keys", include_str!("../../../migrations/sqlite/0003_signing_keys.sql")),
];

/// Stands among the migrations of a database whose first one Django had made.
const MADE_BY_DJANGO: &str = "0000_made_by_django";

/// What `0001_django_tables` makes; a database where Django has made them already is taken as it is.
const DJANGO_TABLES: [&str; 10] = [
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "auth_user",
    "auth_user_groups",
    "auth_user_user_permissions",
    "django_content_type",
    "django_migrations",
    "token_blacklist_blacklistedtoken",
    "token_blacklist_outstandingtoken",
];

/// Applies what is missing; whether Django made the database. Processes that start at once wait for each other.
pub(crate) fn run(connection: &mut Connection) -> Result<bool, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS countersign_migration (
             name TEXT NOT NULL PRIMARY KEY,
             applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
         ) STRICT",
    )?;
    let applied: Vec<String> =
        all(&transaction, "SELECT name FROM countersign_migration ORDER BY name", &[], |row| row.get(0))?;
    refuse_newer(&applied)?;
    let mut made_by_django = applied.iter().any(|name| name == MADE_BY_DJANGO);
    let record = |name: &str| {
        execute(&transaction, "INSERT INTO countersign_migration (name) VALUES ($1)", &[&name]).map(drop)
    };
    for (name, sql) in MIGRATIONS.iter().filter(|(name, _)| !applied.iter().any(|done| done == name)) {
        if *name == "0001_django_tables" && django_made_the_tables(&transaction)? {
            made_by_django = true;
            record(MADE_BY_DJANGO)?;
        } else {
            transaction.execute_batch(sql)?;
        }
        record(name)?;
    }
    transaction.commit()?;
    Ok(made_by_django)
}

fn refuse_newer(applied: &[String]) -> Result<(), StoreError> {
    let known = |name: &String| name == MADE_BY_DJANGO || MIGRATIONS.iter().any(|(known, _)| known == name);
    match applied.iter().find(|name| !known(name)) {
        Some(name) => Err(StoreError::Migration(format!(
            "it has the migration {name}, which this version does not know; use the version that made it or a later one"
        ))),
        None => Ok(()),
    }
}

fn django_made_the_tables(connection: &Connection) -> Result<bool, StoreError> {
    let present: Vec<String> =
        all(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'", &[], |row| row.get(0))?;
    let missing: Vec<&str> =
        DJANGO_TABLES.into_iter().filter(|table| !present.iter().any(|name| name == table)).collect();
    match missing.len() {
        0 => Ok(true),
        count if count == DJANGO_TABLES.len() => Ok(false),
        _ => Err(StoreError::Migration(format!(
            "it has some of Django's tables but not {}; let Django's own `migrate` make them first \
             (applications auth, contenttypes and rest_framework_simplejwt.token_blacklist)",
            missing.join(", ")
        ))),
    }
}
