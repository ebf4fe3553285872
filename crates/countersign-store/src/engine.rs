//! The two engines behind one door: a statement's text and values go in, rows come out. What differs between SQLite and
//! PostgreSQL stands here and in `sqlite` and `postgres`, not at each statement.

use std::future::Future;
use std::pin::Pin;

use countersign_domain::{UserId, UserIdKind};
use countersign_traces::span;
use jiff::Timestamp;
use tracing::{Instrument, Span};

use crate::StoreError;
use crate::columns::Anything;
use crate::postgres::{self, Postgres};
use crate::sqlite::{self, Sqlite};
use crate::user_table::UserTable;

/// The engines as OpenTelemetry has them.
const SQLITE: &str = "sqlite";
const POSTGRES: &str = "postgresql";

/// Where the part of a statement begins that says what it returns.
const RETURNING: &str = " RETURNING ";

/// An open database.
///
/// What waits for PostgreSQL is boxed: its futures are kilobytes, which every request on SQLite would be made, moved and
/// dropped with as well.
pub(crate) enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// A write at work: all of its statements are committed together, or none is.
pub(crate) enum Transaction<'t> {
    Sqlite(sqlite::Writer),
    Postgres(postgres::Transaction<'t>),
}

/// What a write does. On SQLite it is ready at the first poll.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A value of `$1`, `$2`, …; its type is known even when it is NULL.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bool(Option<bool>),
    Bytes(Option<&'a [u8]>),
    /// The key of a user.
    User(Option<UserId>),
    /// A time in a column of Django's. (Columns of ours hold microseconds.)
    Time(Option<Timestamp>),
    /// One for each of those who go together, of the kind that the table of users has. PostgreSQL only.
    Users(UserIdKind, &'a [Option<UserId>]),
    /// The same.
    Ints(&'a [Option<i64>]),
    /// The same.
    Texts(&'a [Option<&'a str>]),
}

/// A row of an answer.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
    /// The columns of another one from some on.
    Rest(&'a Row<'a>, usize),
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    fn from_sqlite(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Self>;
    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error>;
}

impl Row<'_> {
    /// The column at `index`.
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(T::from_sqlite(row, index)?),
            Self::Postgres(row) => Ok(T::from_postgres(row, index)?),
            Self::Rest(row, first) => row.get(first + index),
        }
    }

    /// The one of these whose name is in the column at `index`.
    pub(crate) fn get_named<T: Copy>(
        &self,
        index: usize,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<T, StoreError> {
        let found: String = self.get(index)?;
        let known = all.iter().copied().find(|one| name(*one) == found);
        known.ok_or_else(|| StoreError::Unreadable(format!("this version knows no {found:?} there")))
    }

    /// Whether the column at `index` is not NULL.
    pub(crate) fn has(&self, index: usize) -> Result<bool, StoreError> {
        self.get::<Option<Anything>>(index).map(|found| found.is_some())
    }

    /// The columns from `first` on, as a row.
    pub(crate) fn rest(&self, first: usize) -> Row<'_> {
        Row::Rest(self, first)
    }

    /// The time in a column of ours, which holds microseconds since the epoch.
    pub(crate) fn get_time(&self, index: usize) -> Result<Timestamp, StoreError> {
        to_time(self.get(index)?)
    }
}

/// The time that is so many microseconds after the epoch.
pub(crate) fn to_time(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|error| StoreError::Unreadable(error.to_string()))
}

impl Engine {
    /// What an SQLite file's own checks complain of.
    pub(crate) fn integrity_complaints(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.integrity_complaints(),
            Self::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// The same database, where the users are in this table.
    pub(crate) fn with_users(self, users: UserTable) -> Self {
        match self {
            Self::Sqlite(sqlite) => Self::Sqlite(sqlite.with_users(users)),
            Self::Postgres(postgres) => Self::Postgres(postgres.with_users(users)),
        }
    }

    /// Where the users are.
    pub(crate) fn users(&self) -> &UserTable {
        match self {
            Self::Sqlite(sqlite) => sqlite.users(),
            Self::Postgres(postgres) => postgres.users(),
        }
    }

    /// The first row of an answer, if there is one. Reads only.
    pub(crate) async fn first<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let span = span::statement(self.system(), sql);
        let sql = self.users().statement(sql)?;
        let values = &sql.values(values);
        match self {
            Self::Sqlite(sqlite) => {
                span.in_scope(|| sqlite.read(|connection| sqlite::first(connection, &sql, values, read)))
            }
            Self::Postgres(postgres) => Box::pin(postgres.first(&sql, values, read).instrument(span)).await,
        }
    }

    /// Every row of an answer. Reads only.
    pub(crate) async fn all<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let span = span::statement(self.system(), sql);
        let sql = self.users().statement(sql)?;
        let values = &sql.values(values);
        match self {
            Self::Sqlite(sqlite) => {
                span.in_scope(|| sqlite.read(|connection| sqlite::all(connection, &sql, values, read)))
            }
            Self::Postgres(postgres) => Box::pin(postgres.all(&sql, values, read).instrument(span)).await,
        }
    }

    /// Runs one statement, and returns after its commit is on disk; whether it returned a row. On PostgreSQL it needs no
    /// transaction.
    ///
    /// It has to be one that may be run again when nobody knows whether it was: then it does nothing, and a caller who is
    /// told so looks again, or it does the same. What it returns is one row for each that it changes.
    pub(crate) async fn write_one<I: Send + Sync + 'static>(
        &self,
        sql: &'static str,
        input: I,
        values: for<'a> fn(&'a I) -> Vec<Value<'a>>,
    ) -> Result<bool, StoreError> {
        let found = match self {
            Self::Sqlite(sqlite) => {
                // It would make a table for what the statement returns; how many rows it changed says the same.
                let sql = sql.split_once(RETURNING).map_or(sql, |(changes, _)| changes);
                let (span, within) = self.transaction_spans();
                let changed = sqlite.write_one(move |transaction| {
                    Box::pin(
                        async move { transaction.execute(sql, &values(&input)).await }.instrument(within),
                    )
                });
                changed.instrument(span).await? > 0
            }
            Self::Postgres(postgres) => {
                let span = span::statement(self.system(), sql);
                let sql = postgres.users().statement(sql)?;
                let values = values(&input);
                let values = sql.values(&values);
                let written = postgres.write_one(&sql, &values).instrument(span);
                !Box::pin(written).await?.is_empty()
            }
        };
        Ok(found)
    }

    /// Runs `work`, all or nothing, and returns after its commit is on disk.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a, 't> FnOnce(&'a mut Transaction<'t>) -> Work<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (span, within) = self.transaction_spans();
        match self {
            Self::Sqlite(sqlite) => {
                let work = sqlite.write(move |transaction| Box::pin(work(transaction).instrument(within)));
                work.instrument(span).await
            }
            Self::Postgres(postgres) => Box::pin(postgres.write(work).instrument(span)).await,
        }
    }

    /// A span for a transaction, and again for the writer's thread of SQLite, which does not know it otherwise.
    fn transaction_spans(&self) -> (Span, Span) {
        let span = span::transaction(self.system());
        (span.clone(), span)
    }

    /// Its name, for a collector of traces.
    fn system(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => SQLITE,
            Self::Postgres(_) => POSTGRES,
        }
    }
}

impl Transaction<'_> {
    fn span(&self, sql: &'static str) -> Span {
        span::statement(if matches!(self, Self::Sqlite(_)) { SQLITE } else { POSTGRES }, sql)
    }

    /// Where the users are.
    pub(crate) fn users(&self) -> &UserTable {
        match self {
            Self::Sqlite(writer) => &writer.users,
            Self::Postgres(transaction) => &transaction.users,
        }
    }

    /// Runs a statement for its effect; returns the number of rows changed.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<usize, StoreError> {
        let span = self.span(sql);
        let sql = self.users().statement(sql)?;
        let values = &sql.values(values);
        match self {
            Self::Sqlite(connection) => span.in_scope(|| sqlite::execute(connection, &sql, values)),
            Self::Postgres(transaction) => transaction.execute(&sql, values).instrument(span).await,
        }
    }

    /// The first row of an answer, if there is one.
    pub(crate) async fn first<T>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let span = self.span(sql);
        let sql = self.users().statement(sql)?;
        let values = &sql.values(values);
        match self {
            Self::Sqlite(connection) => span.in_scope(|| sqlite::first(connection, &sql, values, read)),
            Self::Postgres(transaction) => transaction.first(&sql, values, read).instrument(span).await,
        }
    }

    /// Every row of an answer.
    pub(crate) async fn all<T>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let span = self.span(sql);
        let sql = self.users().statement(sql)?;
        let values = &sql.values(values);
        match self {
            Self::Sqlite(connection) => span.in_scope(|| sqlite::all(connection, &sql, values, read)),
            Self::Postgres(transaction) => transaction.all(&sql, values, read).instrument(span).await,
        }
    }

    /// Runs statements without values.
    pub(crate) async fn run_script(&mut self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(transaction) => transaction.run_script(sql).await,
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<UserId> for Value<'_> {
    fn from(value: UserId) -> Self {
        Self::User(Some(value))
    }
}

impl From<Option<UserId>> for Value<'_> {
    fn from(value: Option<UserId>) -> Self {
        Self::User(value)
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(Some(value.into()))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(Some(value))
    }
}

impl From<Option<bool>> for Value<'_> {
    fn from(value: Option<bool>) -> Self {
        Self::Bool(value)
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Time(Some(value))
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Time(value)
    }
}
