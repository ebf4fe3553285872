//! One state of a database that is read and not changed, for as long as it is held.

use rusqlite::Connection;

use super::cell::Cell;
use super::tables::{PAGE, Table, key_text};
use crate::engine::{Row, Value};
use crate::postgres::{self, Postgres};
use crate::sqlite;
use crate::{DatabaseUrl, PoolOptions, StoreError};

/// A connection in a transaction of its own.
pub(super) enum Snapshot {
    Sqlite(Connection),
    Postgres(Box<postgres::Snapshot>),
}

impl Snapshot {
    pub(super) async fn open(url: &DatabaseUrl, pool: &PoolOptions) -> Result<Self, StoreError> {
        Ok(match url {
            DatabaseUrl::Sqlite(path) => Self::Sqlite(sqlite::open_snapshot(path)?),
            DatabaseUrl::Postgres(server) => {
                let snapshot = Postgres::new(server, pool)?.snapshot().await;
                Self::Postgres(Box::new(snapshot.map_err(|error| StoreError::of_opening(url, error))?))
            }
        })
    }

    pub(super) async fn all<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::all(connection, sql, values, read),
            Self::Postgres(snapshot) => snapshot.all(sql, values, read).await,
        }
    }

    pub(super) async fn count(&self, table: &Table) -> Result<u64, StoreError> {
        let count = self.all(table.count, &[], |row| row.get::<i64>(0)).await?;
        Ok(count.first().map_or(0, |count| count.unsigned_abs()))
    }

    /// The next rows of a table by key.
    pub(super) async fn page(&self, table: &Table, after: &Cell) -> Result<Vec<Vec<Cell>>, StoreError> {
        self.all(table.page, &[after.value(), PAGE.into()], |row| read_row(table, row)).await
    }

    /// Every row of a table that is small.
    pub(super) async fn rows(&self, table: &Table) -> Result<Vec<Vec<Cell>>, StoreError> {
        let (mut rows, mut after) = (Vec::new(), table.start());
        loop {
            let page = self.page(table, &after).await?;
            match page.last().and_then(|row| row.first()) {
                Some(key) => after = key.clone(),
                None => return Ok(rows),
            }
            rows.extend(page);
        }
    }

    /// The greatest id that a table has ever given to a row, as far as its engine knows.
    pub(super) async fn last_id(&self, table: &Table) -> Result<i64, StoreError> {
        let sql = match self {
            Self::Sqlite(_) => "SELECT seq FROM sqlite_sequence WHERE name = $1",
            Self::Postgres(_) => "SELECT pg_sequence_last_value(pg_get_serial_sequence($1, 'id')::regclass)",
        };
        let last = self.all(sql, &[table.name.into()], |row| row.get::<Option<i64>>(0)).await?;
        Ok(last.first().copied().flatten().unwrap_or(0))
    }
}

fn read_row(table: &Table, row: &Row<'_>) -> Result<Vec<Cell>, StoreError> {
    let mut cells: Vec<Cell> = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let cell = Cell::read(column, row, index).map_err(|error| {
            let key = cells.first().map(key_text).unwrap_or_default();
            let (model, column) = (table.model, column.name);
            StoreError::Unreadable(format!("{model} {key}: {column}: {error}; correct it in the source"))
        })?;
        cells.push(cell);
    }
    Ok(cells)
}
