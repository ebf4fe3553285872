//! The oldest events go, by age and by number. What is left is still a chain: the hash of the last one that went is kept.

use jiff::{SignedDuration, Timestamp};

use super::chain::lock_chain;
use crate::engine::Transaction;
use crate::{Store, StoreError};

/// Events that are deleted in one transaction, so that others can write between.
const DELETED_TOGETHER: i64 = 1000;
/// Of events that are too old, no more than those of so long from the oldest on are deleted at a time: a clock that is far
/// ahead for a moment then costs their beginning alone.
const AGED_TOGETHER: SignedDuration = SignedDuration::from_hours(1);

impl Store {
    /// Deletes events that are older than `before`, those of an hour at the most, and the oldest beyond the last `keep`;
    /// returns how many. Only a beginning of the chain is deleted: whatever comes after an event that stays, stays.
    pub async fn delete_old_events(&self, before: Timestamp, keep: i64) -> Result<usize, StoreError> {
        let sql = "SELECT at FROM countersign_event WHERE position > $1 ORDER BY position LIMIT 1";
        let oldest = self.engine.first(sql, &[0_i64.into()], |row| row.get_time(0)).await?;
        let Some(oldest) = oldest else { return Ok(0) };
        let before = before.min(oldest.checked_add(AGED_TOGETHER).unwrap_or(before));
        let mut all = 0;
        loop {
            let deleted = self
                .engine
                .write(move |transaction| Box::pin(delete_next(transaction, before, keep)))
                .await?;
            all += deleted;
            if i64::try_from(deleted).is_ok_and(|deleted| deleted < DELETED_TOGETHER) {
                return Ok(all);
            }
        }
    }
}

async fn delete_next(
    transaction: &mut Transaction<'_>,
    before: Timestamp,
    keep: i64,
) -> Result<usize, StoreError> {
    let chain = lock_chain(transaction).await?;
    let sql =
        "SELECT position, hash, at FROM countersign_event WHERE position > $1 ORDER BY position LIMIT $2";
    let oldest: Vec<(i64, String, Timestamp)> = transaction
        .all(sql, &[chain.deleted_position.into(), DELETED_TOGETHER.into()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get_time(2)?))
        })
        .await?;
    let is_to_go = |(position, _, at): &&(i64, String, Timestamp)| {
        *at < before || *position <= chain.last_position.saturating_sub(keep)
    };
    let Some((position, hash, _)) = oldest.iter().take_while(is_to_go).last() else { return Ok(0) };
    let sql = "UPDATE countersign_event_chain SET deleted_position = $1, deleted_hash = $2 WHERE id = 1";
    transaction.execute(sql, &[(*position).into(), hash.into()]).await?;
    let sql = "DELETE FROM countersign_event WHERE position <= $1";
    transaction.execute(sql, &[(*position).into()]).await
}
