//! The oldest events go, by age and by number. What is left is still a chain: the hash of the last one that went is kept.
//!
//! Events stand in the order in which they were linked. One that says to be younger than those after it was noted under a
//! clock that was ahead, one that says to be older than those before it under one that was behind: no such one decides alone.

use jiff::{SignedDuration, Timestamp};

use super::chain::lock_chain;
use crate::engine::{Row, Transaction};
use crate::{Store, StoreError};

/// Events that are deleted in one transaction, so that others can write between.
const DELETED_TOGETHER: i64 = 1000;
/// Of events that are too old, no more than those of so long from the oldest on are deleted at a time: a clock that is far
/// ahead for a moment then costs their beginning alone.
const AGED_TOGETHER: SignedDuration = SignedDuration::from_hours(1);
/// The first events of whose times the middle one is when the chain begins.
const BEGINNING: i64 = 9;

impl Store {
    /// Deletes events that are older than `before`, those of an hour at the most, and the oldest beyond the last `keep`;
    /// returns how many. Only a beginning of the chain is deleted: whatever comes after an event that stays, stays.
    pub async fn delete_old_events(&self, before: Timestamp, keep: i64) -> Result<usize, StoreError> {
        let sql = "SELECT at FROM countersign_event
                    WHERE position > (SELECT deleted_position FROM countersign_event_chain WHERE id = 1)
                      AND position <= (SELECT last_position FROM countersign_event_chain WHERE id = 1)
                    ORDER BY position LIMIT $1";
        let mut first = self.engine.all(sql, &[BEGINNING.into()], |row| row.get_time(0)).await?;
        first.sort_unstable();
        let Some(begins) = first.get(first.len().saturating_sub(1) / 2) else { return Ok(0) };
        let before = before.min(begins.checked_add(AGED_TOGETHER).unwrap_or(before));
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
    let sql = "SELECT position, hash, at FROM countersign_event WHERE position > $1 AND position <= $2
                ORDER BY position LIMIT $3";
    let values = [chain.deleted_position.into(), chain.last_position.into(), DELETED_TOGETHER.into()];
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get_time(2)?));
    let oldest: Vec<(i64, String, Timestamp)> = transaction.all(sql, &values, read).await?;
    let last_kept_out = chain.last_position.saturating_sub(keep);
    let too_many = oldest.iter().take_while(|(position, ..)| *position <= last_kept_out).count();
    let going = too_many.max(too_old(oldest.iter().map(|(.., at)| *at), before));
    let Some((position, hash, _)) = going.checked_sub(1).and_then(|last| oldest.get(last)) else {
        return Ok(0);
    };
    let sql = "UPDATE countersign_event_chain SET deleted_position = $1, deleted_hash = $2 WHERE id = 1";
    transaction.execute(sql, &[(*position).into(), hash.into()]).await?;
    let sql = "DELETE FROM countersign_event WHERE position <= $1";
    transaction.execute(sql, &[(*position).into()]).await
}

/// How many go from the beginning on: as many as end with one that is too old, and are so more than half of them.
fn too_old(times: impl Iterator<Item = Timestamp>, before: Timestamp) -> usize {
    let (mut old, mut going) = (0, 0);
    for (count, at) in (1..).zip(times) {
        if at < before {
            old += 1;
            if old * 2 > count {
                going = count;
            }
        }
    }
    going
}
