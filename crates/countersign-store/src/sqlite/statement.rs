//! One statement on a connection: its values bound by name, its rows read.

use rusqlite::{Connection, Statement};

use crate::StoreError;
use crate::engine::{Row, Value};

const PARAMETER_NAMES: [&str; 12] =
    ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12"];

/// Runs `sql` for its effect with `$1`, `$2`, … bound to `values`; returns the number of rows changed.
pub(crate) fn execute(connection: &Connection, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    Ok(statement.raw_execute()?)
}

/// Runs `sql` and reads its first row, if there is one.
pub(crate) fn first<T>(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    rows.next()?.map(|row| read(&Row::Sqlite(row))).transpose()
}

/// Runs `sql` and reads every row.
pub(crate) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    let mut result = Vec::new();
    while let Some(row) = rows.next()? {
        result.push(read(&Row::Sqlite(row))?);
    }
    Ok(result)
}

/// Binds by name: SQLite numbers `$2, $1` by first appearance, so that binding by position would silently swap them.
fn bind(statement: &mut Statement<'_>, values: &[Value<'_>]) -> rusqlite::Result<()> {
    if statement.parameter_count() != values.len() || values.len() > PARAMETER_NAMES.len() {
        return Err(rusqlite::Error::InvalidParameterCount(values.len(), statement.parameter_count()));
    }
    for (name, value) in PARAMETER_NAMES.iter().zip(values) {
        let index = statement.parameter_index(name)?;
        let index = index.ok_or_else(|| rusqlite::Error::InvalidParameterName((*name).to_owned()))?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}
