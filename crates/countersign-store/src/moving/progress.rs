//! `countersign_import`: how far an import has come, so that one which was interrupted goes on where it was.

use jiff::Timestamp;

use super::MoveError;
use crate::engine::Transaction;
use crate::{Store, StoreError};

/// The last row that was copied, and the digest of everything up to it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Its table; empty before the first.
    pub place: String,
    /// Its key, as text.
    pub last_key: String,
    pub digest: Vec<u8>,
}

/// Tables in which a fresh database has no rows.
const HAS_ROWS: [(&str, &str); 5] = [
    ("users", "SELECT 1 FROM auth_user LIMIT 1"),
    ("groups", "SELECT 1 FROM auth_group LIMIT 1"),
    ("recorded tokens", "SELECT 1 FROM token_blacklist_outstandingtoken LIMIT 1"),
    ("sessions", "SELECT 1 FROM countersign_session LIMIT 1"),
    ("signing keys", "SELECT 1 FROM countersign_key LIMIT 1"),
];

impl Store {
    /// The source of an import that was begun and not finished: until it is, accounts are missing.
    pub async fn find_unfinished_import(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT source FROM countersign_import WHERE id = 1 AND finished_at IS NULL";
        self.engine.first(sql, &[], |row| row.get(0)).await
    }
}

/// The progress of an import that was interrupted; `None`, and the present one is noted, in a database that is
/// fresh.
pub(super) async fn begin(
    transaction: &mut Transaction<'_>,
    source: &str,
    digest: &[u8],
    at: Timestamp,
) -> Result<Result<Option<Progress>, MoveError>, StoreError> {
    let sql =
        "SELECT source, place, last_key, digest FROM countersign_import WHERE id = 1 AND finished_at IS NULL";
    let begun: Option<(String, Progress)> = transaction
        .first(sql, &[], |row| {
            let progress = Progress { place: row.get(1)?, last_key: row.get(2)?, digest: row.get(3)? };
            Ok((row.get(0)?, progress))
        })
        .await?;
    if let Some((_, progress)) = begun {
        return Ok(Ok(Some(progress)));
    }
    for (what, sql) in HAS_ROWS {
        if transaction.first(sql, &[], |_| Ok(())).await?.is_some() {
            return Ok(Err(MoveError::Refused(format!(
                "the database has {what} already, and an import needs a fresh one: let DATABASE_URL name another"
            ))));
        }
    }
    transaction.execute("DELETE FROM countersign_import WHERE id = $1", &[1_i64.into()]).await?;
    let sql = "INSERT INTO countersign_import (id, source, place, last_key, digest, started_at)
               VALUES (1, $1, '', '', $2, $3)";
    transaction.execute(sql, &[source.into(), digest.into(), at.as_microsecond().into()]).await?;
    Ok(Ok(None))
}

/// Notes that everything up to `to` is there; false if somebody else has gone on from `from`.
pub(super) async fn advance(
    transaction: &mut Transaction<'_>,
    from: &[u8],
    to: &Progress,
) -> Result<bool, StoreError> {
    let sql = "UPDATE countersign_import SET place = $2, last_key = $3, digest = $4
                WHERE id = 1 AND finished_at IS NULL AND digest = $1";
    let values = [from.into(), (&to.place).into(), (&to.last_key).into(), to.digest.as_slice().into()];
    Ok(transaction.execute(sql, &values).await? == 1)
}

/// Notes that all is there; false if somebody else has gone on from `from`.
pub(super) async fn finish(
    transaction: &mut Transaction<'_>,
    from: &[u8],
    at: Timestamp,
) -> Result<bool, StoreError> {
    let sql =
        "UPDATE countersign_import SET finished_at = $2 WHERE id = 1 AND finished_at IS NULL AND digest = $1";
    Ok(transaction.execute(sql, &[from.into(), at.as_microsecond().into()]).await? == 1)
}
