//! Brings a database up to the tables of this version: plain SQL files, in order, each once, each with its record
//! in `countersign_migration` in one transaction.

use std::borrow::Cow;
use std::time::Duration;

use countersign_domain::UserIdKind;

use crate::engine::Transaction;
use crate::foreign_keys::quoted;
use crate::postgres::Postgres;
use crate::user_table::UserTable;
use crate::{StoreError, UserModel};

/// Name and text of a migration, for either engine.
struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migration {
    ($name:literal) => {
        Migration {
            name: $name,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
        }
    };
}

/// Every migration, oldest first. A released one is never edited.
const MIGRATIONS: [Migration; 8] = [
    migration!("0001_django_tables"),
    migration!("0002_sessions"),
    migration!("0003_signing_keys"),
    migration!("0004_import"),
    migration!("0005_attempts"),
    migration!("0006_events"),
    migration!("0007_mail"),
    migration!("0008_addresses"),
];

/// Stands among the migrations of a database whose first one Django had made.
pub(crate) const MADE_BY_DJANGO: &str = "0000_made_by_django";

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

/// Looks what is missing on a server, and applies it, however long that takes; whether Django made the database.
pub(crate) async fn run_on(postgres: &Postgres) -> Result<bool, StoreError> {
    let looked = postgres.write(|transaction| Box::pin(look(transaction))).await?;
    if let Some(made_by_django) = looked {
        return Ok(made_by_django);
    }
    tracing::info!("the database gets the tables and indexes that it lacks; this may take a while");
    postgres.write_within(Duration::MAX, |transaction| Box::pin(run(transaction))).await
}

/// Whether Django made the database, if nothing is missing.
async fn look(transaction: &mut Transaction<'_>) -> Result<Option<bool>, StoreError> {
    if !has_table_of_migrations(transaction).await? {
        return Ok(None);
    }
    let applied = applied(transaction).await?;
    let is_complete = refuse_missing(&applied).is_ok();
    Ok(is_complete.then(|| applied.iter().any(|name| name == MADE_BY_DJANGO)))
}

/// Applies what is missing; whether Django made the database. Processes that start at once wait for each other: SQLite's
/// transaction has begun as a writing one, PostgreSQL's takes a lock.
pub(crate) async fn run(transaction: &mut Transaction<'_>) -> Result<bool, StoreError> {
    make_table_of_migrations(transaction).await?;
    let applied = applied(transaction).await?;
    let mut made_by_django = applied.iter().any(|name| name == MADE_BY_DJANGO);
    for migration in MIGRATIONS.iter().filter(|missing| !applied.iter().any(|done| done == missing.name)) {
        if migration.name == "0001_django_tables" && django_made_the_tables(transaction).await? {
            made_by_django = true;
            record(transaction, MADE_BY_DJANGO).await?;
        } else {
            let sql = match transaction {
                Transaction::Sqlite(_) => migration.sqlite,
                Transaction::Postgres(_) => migration.postgres,
            };
            let sql = for_users(transaction.users(), sql);
            transaction.run_script(&sql).await.map_err(|error| error.while_making(migration.name))?;
        }
        record(transaction, migration.name).await?;
    }
    Ok(made_by_django)
}

/// A migration for this table of users, which it knows as Django's.
fn for_users(users: &UserTable, sql: &'static str) -> Cow<'static, str> {
    let sql = for_keys(users.key(), sql);
    match users.name() {
        UserModel::OF_DJANGO => sql,
        table => sql.replace(" ON auth_user (", &format!(" ON {} (", quoted(table))).into(),
    }
}

/// The same, for keys of this kind: the column that holds them is written for numbers.
fn for_keys(kind: UserIdKind, sql: &'static str) -> Cow<'static, str> {
    let typed = [("user_id BIGINT ", "user_id UUID "), ("user_id INTEGER ", "user_id TEXT ")];
    match kind {
        UserIdKind::Number => Cow::Borrowed(sql),
        UserIdKind::Uuid => {
            typed.iter().fold(Cow::Borrowed(sql), |sql, (number, uuid)| sql.replace(number, uuid).into())
        }
    }
}

/// What Django makes, with the user's tables by the names that they have here.
pub(crate) fn django_tables(users: &UserTable) -> [&str; 10] {
    let [of_users, of_groups, of_permissions] = users.tables();
    DJANGO_TABLES.map(|table| match table {
        "auth_user" => of_users,
        "auth_user_groups" => of_groups,
        "auth_user_user_permissions" => of_permissions,
        table => table,
    })
}

/// The names of the migrations that were applied; refuses those of a later version.
pub(crate) async fn applied(transaction: &mut Transaction<'_>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM countersign_migration ORDER BY name";
    let applied: Vec<String> = transaction.all(sql, &[], |row| row.get(0)).await?;
    refuse_newer(&applied)?;
    Ok(applied)
}

/// The tables and indexes that are added to a database of Django's, each list sorted.
pub(crate) fn own_objects() -> (Vec<&'static str>, Vec<&'static str>) {
    let named = |kinds: &[&str]| {
        let lines = MIGRATIONS.iter().skip(1).flat_map(|migration| migration.sqlite.lines());
        lines.filter_map(|line| name_of(line, kinds)).collect::<Vec<_>>()
    };
    let mut tables = named(&["CREATE TABLE "]);
    tables.push("countersign_migration");
    tables.sort_unstable();
    let mut indexes = named(&["CREATE INDEX ", "CREATE UNIQUE INDEX "]);
    indexes.sort_unstable();
    (tables, indexes)
}

/// The name of what a line makes, if that is of one of these kinds.
fn name_of<'a>(line: &'a str, kinds: &[&str]) -> Option<&'a str> {
    let made = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    made.strip_prefix("IF NOT EXISTS ").unwrap_or(made).split([' ', '(']).next()
}

/// On PostgreSQL it is looked for first: a role that may make no tables can use those that are there.
async fn make_table_of_migrations(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    if let Transaction::Sqlite(_) = transaction {
        let script = "CREATE TABLE IF NOT EXISTS countersign_migration (
                          name TEXT NOT NULL PRIMARY KEY,
                          applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
                      ) STRICT";
        return transaction.run_script(script).await;
    }
    // One waits for the other as long as it takes, but for other programs seconds: whoever comes to a table after us waits
    // behind us. The number is the first bytes of the name, to be unlike that of any other application's lock.
    let script = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
                  SELECT pg_advisory_xact_lock(7165065861825654388); SET LOCAL lock_timeout = '3s'";
    transaction.run_script(script).await?;
    refuse_half_made(transaction).await?;
    if has_table_of_migrations(transaction).await? {
        return Ok(());
    }
    let script = "CREATE TABLE countersign_migration (
                      name TEXT NOT NULL PRIMARY KEY,
                      applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
                  )";
    transaction.run_script(script).await
}

/// On PostgreSQL.
async fn has_table_of_migrations(transaction: &mut Transaction<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM pg_tables
                WHERE tablename = 'countersign_migration' AND schemaname = ANY (current_schemas(false))";
    Ok(transaction.first(sql, &[], |_| Ok(())).await?.is_some())
}

/// Refuses an index that was to be made beforehand, and that PostgreSQL does not look at.
async fn refuse_half_made(transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
    let sql =
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('countersign_user_email') AND NOT indisvalid";
    match transaction.first(sql, &[], |_| Ok(())).await? {
        None => Ok(()),
        Some(()) => Err(StoreError::Migration(
            "the index countersign_user_email is half made; wait for whoever makes it, or DROP INDEX CONCURRENTLY \
             countersign_user_email, and try again"
                .to_owned(),
        )),
    }
}

async fn record(transaction: &mut Transaction<'_>, name: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO countersign_migration (name) VALUES ($1)";
    transaction.execute(sql, &[name.into()]).await.map(drop)
}

/// Refuses a database in which a migration of this version was not applied.
pub(crate) fn refuse_missing(applied: &[String]) -> Result<(), StoreError> {
    match MIGRATIONS.iter().find(|needed| !applied.iter().any(|name| name == needed.name)) {
        Some(missing) => Err(StoreError::Migration(format!("it lacks the migration {}", missing.name))),
        None => Ok(()),
    }
}

fn refuse_newer(applied: &[String]) -> Result<(), StoreError> {
    let known = |name: &String| name == MADE_BY_DJANGO || MIGRATIONS.iter().any(|known| known.name == name);
    match applied.iter().find(|name| !known(name)) {
        Some(name) => Err(StoreError::Migration(format!(
            "it has the migration {name}, which this version does not know; use the version that made it or a later one"
        ))),
        None => Ok(()),
    }
}

async fn django_made_the_tables(transaction: &mut Transaction<'_>) -> Result<bool, StoreError> {
    let sql = match transaction {
        Transaction::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table'",
        Transaction::Postgres(_) => {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = ANY (current_schemas(false))"
        }
    };
    let present: Vec<String> = transaction.all(sql, &[], |row| row.get(0)).await?;
    let expected = django_tables(transaction.users());
    let missing: Vec<&str> =
        expected.into_iter().filter(|table| !present.iter().any(|name| name == table)).collect();
    match missing.len() {
        0 => Ok(true),
        count if count == DJANGO_TABLES.len() => Ok(false),
        _ if missing.contains(&"auth_user") && present.iter().any(|name| name == "auth_group") => {
            Err(StoreError::Migration(
                "it has Django's tables but not auth_user, as a project with a user model of its own: AUTH_USER_TABLE \
                 has to name the table of that; `countersign adopt --dry-run` says which it is"
                    .to_owned(),
            ))
        }
        _ => Err(StoreError::Migration(format!(
            "it has some of Django's tables but not {}; let Django's own `migrate` make them first \
             (applications auth, contenttypes and rest_framework_simplejwt.token_blacklist)",
            missing.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_for_the_key_of_a_user_is_made_for_uuids_where_these_are_the_keys() {
        for migration in &MIGRATIONS[1..] {
            for (sql, number, uuid) in [
                (migration.sqlite, " INTEGER NOT NULL,", " TEXT NOT NULL,"),
                (migration.postgres, " BIGINT NOT NULL,", " UUID NOT NULL,"),
            ] {
                assert_eq!(for_keys(UserIdKind::Number, sql), sql);
                let of_users = |line: &&str| line.trim_start().starts_with("user_id ");
                let expected: Vec<_> = sql
                    .lines()
                    .map(|line| if of_users(&line) { line.replace(number, uuid) } else { line.to_owned() })
                    .collect();
                assert_eq!(
                    for_keys(UserIdKind::Uuid, sql).lines().collect::<Vec<_>>(),
                    expected,
                    "{}",
                    migration.name
                );
                assert!(
                    expected.iter().filter(|line| of_users(&line.as_str())).all(|line| line.ends_with(uuid))
                );
            }
        }
    }

    #[test]
    fn what_is_added_to_a_database_of_djangos_is_tables_and_indexes_by_names_of_ours() {
        let (tables, indexes) = own_objects();
        assert!(tables.len() >= 3 && indexes.len() >= 3);
        assert!(tables.iter().chain(&indexes).all(|name| name.starts_with("countersign_")));
        for migration in &MIGRATIONS[1..] {
            for text in [migration.sqlite, migration.postgres] {
                let made = text.lines().filter(|line| line.starts_with("CREATE ")).count();
                let own = |line: &&str| {
                    let name = name_of(line, &["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "]);
                    name.is_some_and(|name| tables.contains(&name) || indexes.contains(&name))
                };
                assert_eq!(
                    text.lines().filter(own).count(),
                    made,
                    "{}: adopt --undo would miss some",
                    migration.name
                );
                assert!(!text.contains("ALTER "), "{}: nothing is altered", migration.name);
            }
        }
    }
}
