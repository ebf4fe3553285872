//! A database that Django made, before it is ours: looked at as it is, and given back as it was.
//!
//! Adding our tables is what [`Store::open`](crate::Store::open) does.

mod catalogue;
mod comparison;
mod expected;
mod user_table;

use std::fmt;
use std::time::Duration;

use countersign_domain::{PasswordHash, UserId, UserIdKind};
use jiff::Timestamp;

pub(crate) use user_table::find_user_table;

use crate::engine::{Engine, Row, Transaction};
use crate::error::is_of_damage;
use crate::migrations::{MADE_BY_DJANGO, applied, django_tables, own_objects};
use crate::postgres::Postgres;
use crate::sqlite::{Sqlite, leave_write_ahead_log};
use crate::user_table::{Described, UserTable};
use crate::{DatabaseUrl, PoolOptions, StoreError, UserModel};

/// How often, and at which intervals, it is looked for others who use a database, before they count.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// Rows that are looked at together.
const PAGE: i64 = 10_000;

/// A database that is looked at without being migrated: nothing in it is changed.
pub struct Prospect {
    url: DatabaseUrl,
    pub(crate) engine: Engine,
    described: Described,
    model: UserModel,
}

/// What the tables of a database are.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Name and version of the engine.
    pub engine: String,
    /// Whether none of Django's tables is there.
    pub is_empty: bool,
    /// Whether tables of ours are there already, and who made Django's: `Some(true)` if a Django did.
    pub made_by_django: Option<bool>,
    /// The table of users that was looked at.
    pub user_table: String,
    /// The table of the users that the recorded tokens are of, if that is another one.
    pub other_users: Option<String>,
    /// What is otherwise than Django 5.2 makes it.
    pub differences: Vec<Difference>,
    /// The state of `django_migrations` by application.
    pub migrations: Vec<MigrationsOf>,
    /// How many tables are there that are neither Django's own nor ours.
    pub other_tables: usize,
    /// What we have not added yet.
    pub to_add: OwnObjects,
    /// Whether whom we log in as may add it.
    pub may_create: bool,
    /// How far a look at all users goes: their greatest id; 0 where that is no number.
    pub last_user: i64,
    /// The greatest id of recorded tokens.
    pub last_token: i64,
}

/// Tables and indexes of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnObjects {
    /// Names of tables.
    pub tables: Vec<String>,
    /// Names of indexes.
    pub indexes: Vec<String>,
}

/// What was taken out of a database again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// The tables and indexes.
    pub objects: OwnObjects,
    /// How many sessions were forgotten.
    pub sessions: i64,
    /// How many signing keys of ours were deleted, none of which can be had again.
    pub keys: i64,
}

/// How the tables differ from what Django 5.2 makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A table is not there.
    MissingTable {
        /// Its name.
        table: String,
    },
    /// A column is not there.
    MissingColumn {
        /// Its table.
        table: String,
        /// Its name.
        column: String,
    },
    /// A column has another type.
    OtherType {
        /// Its table.
        table: String,
        /// Its name.
        column: String,
        /// The type that it has.
        found: String,
        /// The type that Django gives it.
        expected: String,
        /// Whether it holds whatever Django's would.
        is_harmless: bool,
    },
    /// A column takes NULL and should not, or the other way round.
    OtherNull {
        /// Its table.
        table: String,
        /// Its name.
        column: String,
        /// Whether it should be `NOT NULL`.
        must_be_required: bool,
    },
    /// A column that Django does not make.
    ExtraColumn {
        /// Its table.
        table: String,
        /// Its name.
        column: String,
        /// Whether rows can be written without knowing of it.
        is_harmless: bool,
    },
    /// Rows may be alike in columns in which they must not be.
    NotUnique {
        /// Their table.
        table: String,
        /// The columns, joined by commas.
        columns: String,
    },
    /// New rows get no id.
    NoNextId {
        /// Their table.
        table: String,
    },
}

/// The state of an application's migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationsOf {
    /// Its label.
    pub application: &'static str,
    /// How many are applied.
    pub applied: usize,
    /// Those of Django 5.2 and Simple JWT 5.5 that are not, oldest first.
    pub missing: Vec<&'static str>,
    /// Applied ones that these do not know.
    pub unknown: Vec<String>,
}

/// A user, as far as it matters whether it can log in here.
pub struct UserSighted {
    /// Its id.
    pub id: UserId,
    /// Log-in name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// The hash string.
    pub password: PasswordHash,
    /// May use the service at all.
    pub is_active: bool,
    /// May use Django's admin.
    pub is_staff: bool,
    /// Has every permission.
    pub is_superuser: bool,
}

/// A recorded token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSighted {
    /// The key of its row.
    pub id: i64,
    /// Whether it has not expired.
    pub is_live: bool,
    /// Whether it is on the blacklist.
    pub is_blacklisted: bool,
}

impl Prospect {
    /// Opens a database that is there, to be read.
    pub fn open(url: &DatabaseUrl, pool: &PoolOptions) -> Result<Self, StoreError> {
        let (engine, model) = (open_engine(url, pool)?, UserModel::default());
        Ok(Self { url: url.clone(), described: user_table::of_django(&engine), engine, model })
    }

    /// The same, for a project with this user model.
    pub async fn open_for(
        url: &DatabaseUrl,
        pool: &PoolOptions,
        model: &UserModel,
    ) -> Result<Self, StoreError> {
        if model.is_of_django() {
            return Self::open(url, pool);
        }
        let engine = open_engine(url, pool)?;
        let described = user_table::describe(&engine, model).await;
        let described = described.map_err(|error| StoreError::of_opening(url, error))?;
        let engine = engine.with_users(UserTable::of(described.clone()));
        Ok(Self { url: url.clone(), engine, described, model: model.clone() })
    }

    /// Looks at the tables, and not at what is in them.
    pub async fn look(&self) -> Result<Findings, StoreError> {
        let engine = &self.engine;
        let tables = catalogue::tables(engine).await;
        let tables = tables.map_err(|error| StoreError::of_opening(&self.url, error))?;
        let is_there = |table: &str| tables.iter().any(|name| name == table);
        let (columns, unique) = (catalogue::columns(engine).await?, catalogue::unique(engine).await?);
        let differences = comparison::differences(&tables, &columns, &unique, &self.described);
        let applied = if is_there("django_migrations") { self.applied().await? } else { Vec::new() };
        let made_by_django =
            if is_there("countersign_migration") { Some(self.was_made_by_django().await?) } else { None };
        let other_users = catalogue::table_of_users(engine).await?.filter(|table| *table != self.model.table);
        let (own_tables, own_indexes) = own_objects();
        let indexes = catalogue::indexes(engine).await?;
        let missing = |own: &[&str], there: &[String]| {
            let missing = own.iter().filter(|name| !there.iter().any(|there| there == *name));
            missing.map(|name| (*name).to_owned()).collect()
        };
        let django_tables = django_tables(engine.users());
        let is_known =
            |table: &&String| django_tables.contains(&table.as_str()) || own_tables.contains(&table.as_str());
        let has_ids = |table: &str| columns.iter().any(|column| column.table == table && column.name == "id");
        Ok(Findings {
            engine: catalogue::engine_version(engine).await?,
            is_empty: !django_tables.into_iter().any(is_there),
            made_by_django,
            user_table: self.model.table.clone(),
            other_users,
            differences,
            migrations: comparison::migrations(&applied),
            other_tables: tables.iter().filter(|table| !is_known(table)).count(),
            to_add: OwnObjects {
                tables: missing(&own_tables, &tables),
                indexes: missing(&own_indexes, &indexes),
            },
            may_create: catalogue::may_create(engine).await?,
            last_user: if has_ids(&self.model.table) { self.last_user().await? } else { 0 },
            last_token: if is_there("token_blacklist_outstandingtoken") {
                self.last_token().await?
            } else {
                0
            },
        })
    }

    /// The next users by id, so many that a look does not take long.
    pub async fn users_after(&self, id: Option<UserId>) -> Result<Vec<UserSighted>, StoreError> {
        let first = UserId::first(self.described.key);
        let Some(from) = id.map_or(Some(first), UserId::next) else { return Ok(Vec::new()) };
        let sql = "SELECT id, username, email, password, is_active, is_staff, is_superuser
                     FROM auth_user WHERE id >= $1 ORDER BY id LIMIT $2";
        self.engine.all(sql, &[from.into(), PAGE.into()], read_user).await
    }

    /// The next recorded tokens by key.
    pub async fn tokens_after(&self, id: i64, now: Timestamp) -> Result<Vec<TokenSighted>, StoreError> {
        let sql = "SELECT o.id, o.expires_at > $2, b.id IS NOT NULL
                     FROM token_blacklist_outstandingtoken AS o
                     LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id
                    WHERE o.id > $1 ORDER BY o.id LIMIT $3";
        self.engine
            .all(sql, &[id.into(), now.into(), PAGE.into()], |row| {
                Ok(TokenSighted { id: row.get(0)?, is_live: row.get(1)?, is_blacklisted: row.get(2)? })
            })
            .await
    }

    /// Whether an SQLite file passes SQLite's own integrity and foreign-key checks; the complaints otherwise. (A server
    /// keeps its own watch.) Fails where it cannot be looked at, which says nothing of what is in it.
    pub fn integrity_complaints(&self) -> Result<Vec<String>, StoreError> {
        match self.engine.integrity_complaints() {
            Err(StoreError::Statement(cause)) if is_of_damage(&*cause) => Ok(vec![cause.to_string()]),
            looked => looked.map_err(|error| StoreError::of_opening(&self.url, error)),
        }
    }

    async fn applied(&self) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT app, name FROM django_migrations ORDER BY id";
        self.engine.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    async fn was_made_by_django(&self) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM countersign_migration WHERE name = $1";
        let found = self.engine.first(sql, &[MADE_BY_DJANGO.into()], |_| Ok(())).await?;
        Ok(found.is_some())
    }

    async fn last_user(&self) -> Result<i64, StoreError> {
        if self.described.key == UserIdKind::Uuid {
            return Ok(0);
        }
        let sql = "SELECT COALESCE(max(id), 0) FROM auth_user";
        Ok(self.engine.first(sql, &[], |row| row.get(0)).await?.unwrap_or(0))
    }

    async fn last_token(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE(max(id), 0) FROM token_blacklist_outstandingtoken";
        Ok(self.engine.first(sql, &[], |row| row.get(0)).await?.unwrap_or(0))
    }
}

fn open_engine(url: &DatabaseUrl, pool: &PoolOptions) -> Result<Engine, StoreError> {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => Engine::Sqlite(Sqlite::open_to_read(path)?),
        DatabaseUrl::Postgres(server) => Engine::Postgres(Postgres::new(server, pool)?),
    })
}

fn read_user(row: &Row<'_>) -> Result<UserSighted, StoreError> {
    Ok(UserSighted {
        id: row.get(0)?,
        username: row.get(1)?,
        email: row.get(2)?,
        password: PasswordHash::new(row.get(3)?),
        is_active: row.get(4)?,
        is_staff: row.get(5)?,
        is_superuser: row.get(6)?,
    })
}

/// Why there is nothing to give back.
const OURS: &str = "Countersign made it, Django's tables included; leave it, a Django can run on it as it is";

/// Takes our tables and indexes out of a database that Django made, all or none; an SQLite file leaves its write-ahead log
/// as well, if nobody else has it open.
///
/// Fails with [`StoreError::Migration`] if we made the database ourselves, or have added nothing to it; and with
/// [`StoreError::InUse`] if somebody else is at work on it, unless that is `forced`.
pub async fn give_back(url: &DatabaseUrl, pool: &PoolOptions, forced: bool) -> Result<Removed, StoreError> {
    let findings = Prospect::open(url, pool)?.look().await?;
    if findings.made_by_django.is_none() {
        return Err(StoreError::Migration("nothing of Countersign's is in it".to_owned()));
    }
    if !forced && findings.made_by_django == Some(true) {
        refuse_in_use(url, pool).await?;
    }
    let engine = match url {
        DatabaseUrl::Sqlite(path) => Engine::Sqlite(Sqlite::open_as_it_is(path)?),
        DatabaseUrl::Postgres(server) => Engine::Postgres(Postgres::new(server, pool)?),
    };
    let removed = engine.write(move |transaction| Box::pin(remove(transaction, findings.to_add))).await?;
    drop(engine);
    if let DatabaseUrl::Sqlite(path) = url
        && let Err(error) = leave_write_ahead_log(path)
    {
        tracing::warn!(%error, "the file stays in WAL mode; PRAGMA journal_mode=DELETE puts it back");
    }
    Ok(removed)
}

/// Fails with [`StoreError::InUse`] while another process of ours is connected, or anybody has an SQLite file open.
///
/// Waits a moment for those who are just going: the backends of a server that has stopped.
pub async fn refuse_in_use(url: &DatabaseUrl, pool: &PoolOptions) -> Result<(), StoreError> {
    for _ in 0..LOOKS {
        let is_in_use = match url {
            DatabaseUrl::Sqlite(path) => path.exists() && leave_write_ahead_log(path).is_err(),
            DatabaseUrl::Postgres(server) => {
                // One connection, which the next look finds gone.
                catalogue::is_served(&Engine::Postgres(Postgres::new(server, pool)?)).await?
            }
        };
        if !is_in_use {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StoreError::InUse)
}

async fn remove(transaction: &mut Transaction<'_>, absent: OwnObjects) -> Result<Removed, StoreError> {
    if !applied(transaction).await?.iter().any(|name| name == MADE_BY_DJANGO) {
        return Err(StoreError::Migration(OURS.to_owned()));
    }
    let (tables, indexes) = own_objects();
    let present = |own: Vec<&'static str>, absent: &[String]| -> Vec<String> {
        own.into_iter().filter(|name| !absent.iter().any(|gone| gone == name)).map(str::to_owned).collect()
    };
    let objects =
        OwnObjects { tables: present(tables, &absent.tables), indexes: present(indexes, &absent.indexes) };
    let has = |table: &str| objects.tables.iter().any(|name| name == table);
    let sessions = if has("countersign_session") {
        let sql = "SELECT count(*) FROM countersign_session";
        transaction.first(sql, &[], |row| row.get(0)).await?.unwrap_or(0)
    } else {
        0
    };
    let keys = if has("countersign_key") {
        let sql = "SELECT count(*) FROM countersign_key WHERE sealed IS NOT NULL";
        transaction.first(sql, &[], |row| row.get(0)).await?.unwrap_or(0)
    } else {
        0
    };
    // Names of ours, which need no quotes. Most indexes would go with their table.
    let indexes = objects.indexes.iter().map(|name| format!("DROP INDEX {name};"));
    let tables = objects.tables.iter().map(|name| format!("DROP TABLE {name};"));
    transaction.run_script(&indexes.chain(tables).collect::<String>()).await?;
    Ok(Removed { objects, sessions, keys })
}

impl Findings {
    /// The differences that keep us from serving this database.
    pub fn obstacles(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| !difference.is_harmless())
    }
}

impl Difference {
    /// The table that it is about.
    #[must_use]
    pub fn table(&self) -> &str {
        match self {
            Self::MissingTable { table }
            | Self::MissingColumn { table, .. }
            | Self::OtherType { table, .. }
            | Self::OtherNull { table, .. }
            | Self::ExtraColumn { table, .. }
            | Self::NotUnique { table, .. }
            | Self::NoNextId { table } => table,
        }
    }

    /// Whether the database can be served all the same.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        match self {
            Self::OtherType { is_harmless, .. } | Self::ExtraColumn { is_harmless, .. } => *is_harmless,
            Self::MissingTable { .. }
            | Self::MissingColumn { .. }
            | Self::OtherNull { .. }
            | Self::NotUnique { .. }
            | Self::NoNextId { .. } => false,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingTable { table } => write!(formatter, "the table {table} is missing"),
            Self::MissingColumn { table, column } => {
                write!(formatter, "the column {table}.{column} is missing")
            }
            Self::OtherType { table, column, found, expected, .. } => {
                write!(formatter, "the column {table}.{column} is {found}, where Django makes {expected}")
            }
            Self::OtherNull { table, column, must_be_required: true } => {
                write!(formatter, "the column {table}.{column} takes NULL, which Django's does not")
            }
            Self::OtherNull { table, column, must_be_required: false } => {
                write!(formatter, "the column {table}.{column} takes no NULL, which Django's does")
            }
            Self::ExtraColumn { table, column, is_harmless: true } => {
                write!(formatter, "the column {table}.{column} is not Django's")
            }
            Self::ExtraColumn { table, column, is_harmless: false } => {
                write!(
                    formatter,
                    "the column {table}.{column} is not Django's, takes no NULL and has no default, so that no row \
                     could be added without knowing what belongs there"
                )
            }
            Self::NotUnique { table, columns } => {
                write!(formatter, "the table {table} has no unique constraint on {columns}")
            }
            Self::NoNextId { table } => write!(formatter, "new rows of {table} get no id of their own"),
        }
    }
}
