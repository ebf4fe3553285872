//! Rows past their use, deleted a few at a time with each login or exchange, so that the tables stay small without a
//! flush.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use crate::engine::Row;
use crate::tokens::delete_expired;
use crate::{Store, StoreError};

/// Rows of each table that a sweep looks at; what it comes with adds one, so that sweeping is faster than growth.
const LENGTH: i64 = 10;

/// The next few rows of a table.
struct Next<K> {
    /// The key of the last of them, if there are any.
    last: Option<K>,
    /// Whether there are no more after them.
    is_end: bool,
    /// How many of them are past their use.
    past: i64,
}

impl Store {
    /// Looks at the next few sessions and recorded tokens, round and round, and deletes the sessions that expired or ended
    /// at or before `sessions`, and the tokens that expired at or before `tokens`; returns their number.
    ///
    /// Django has no index on the end of a token, and the oldest rows alone could all be long-lived: hence the rounds by
    /// primary key.
    pub async fn sweep(&self, sessions: Timestamp, tokens: Timestamp) -> Result<usize, StoreError> {
        let after_session = self.swept_session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let after_token = self.swept.load(Ordering::Relaxed);
        let sql = "SELECT of_sessions.last, of_sessions.seen, of_sessions.past, of_tokens.last, of_tokens.seen, of_tokens.past
             FROM (SELECT max(next.id) AS last, count(*) AS seen, sum(next.past) AS past
                     FROM (SELECT id, CASE WHEN COALESCE(ended_at, expires_at) <= $2 THEN 1 ELSE 0 END AS past
                             FROM countersign_session WHERE id > $1 ORDER BY id LIMIT $5) AS next) AS of_sessions,
                  (SELECT max(next.id) AS last, count(*) AS seen, sum(next.past) AS past
                     FROM (SELECT id, CASE WHEN expires_at <= $4 THEN 1 ELSE 0 END AS past
                             FROM token_blacklist_outstandingtoken WHERE id > $3 ORDER BY id LIMIT $5) AS next) AS of_tokens";
        let values = [
            (&after_session).into(),
            sessions.as_microsecond().into(),
            after_token.into(),
            tokens.into(),
            LENGTH.into(),
        ];
        let found = self.engine.first(sql, &values, read_next).await?;
        let Some((next_sessions, next_tokens)) = found else { return Ok(0) };
        let of_sessions = self.sweep_sessions(after_session, next_sessions, sessions).await;
        // Another application's table may refer to tokens: then they stay, and the sessions go all the same.
        Ok(self.sweep_tokens(after_token, next_tokens, tokens).await? + of_sessions?)
    }

    async fn sweep_sessions(
        &self,
        after: String,
        next: Next<String>,
        until: Timestamp,
    ) -> Result<usize, StoreError> {
        let last = next.last.clone().unwrap_or_default();
        if next.past > 0 {
            let sql = "DELETE FROM countersign_session
                        WHERE id > $1 AND id <= $2 AND COALESCE(ended_at, expires_at) <= $3 RETURNING id";
            self.engine
                .write_one(sql, (after, last.clone(), until), |(after, last, until)| {
                    vec![after.into(), last.into(), until.as_microsecond().into()]
                })
                .await?;
        }
        let end = if next.is_end { String::new() } else { last };
        *self.swept_session.lock().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(usize::try_from(next.past).unwrap_or_default())
    }

    async fn sweep_tokens(&self, after: i64, next: Next<i64>, until: Timestamp) -> Result<usize, StoreError> {
        let last = next.last.unwrap_or(after);
        if next.past > 0 {
            self.engine
                .write(move |transaction| {
                    Box::pin(async move { delete_expired(transaction, after + 1..=last, until).await })
                })
                .await?;
        }
        self.swept.store(if next.is_end { 0 } else { last }, Ordering::Relaxed);
        Ok(usize::try_from(next.past).unwrap_or_default())
    }
}

/// Of the sessions and of the tokens.
fn read_next(row: &Row<'_>) -> Result<(Next<String>, Next<i64>), StoreError> {
    let (seen_sessions, seen_tokens): (i64, i64) = (row.get(1)?, row.get(4)?);
    let past = |index| Ok::<_, StoreError>(row.get::<Option<i64>>(index)?.unwrap_or_default());
    let sessions = Next { last: row.get(0)?, is_end: seen_sessions < LENGTH, past: past(2)? };
    let tokens = Next { last: row.get(3)?, is_end: seen_tokens < LENGTH, past: past(5)? };
    Ok((sessions, tokens))
}
