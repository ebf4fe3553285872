//! `token_blacklist_outstandingtoken` and `token_blacklist_blacklistedtoken`, as Simple JWT keeps them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign_domain::{EndReason, SessionId, User, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, Row, ToSql};

use crate::foreign_keys::find_table_that_refers_to_tokens;
use crate::sessions::{count_past, insert_session};
use crate::sqlite::{all, execute, first};
use crate::timestamp::{from_text, to_text};
use crate::users::{Account, is_still};
use crate::{NewSession, Store, StoreError};

/// Rows that a flush looks for and deletes in one transaction, so that others can write between.
const FLUSH_LENGTH: i64 = 1000;
/// Rows that a sweep looks at; each recording adds one at the most, so that sweeping is faster than growth.
const SWEEP_LENGTH: i64 = 10;

/// A refresh or sliding token to record.
#[derive(Clone)]
pub struct NewToken {
    /// Its `jti` claim.
    pub jti: String,
    /// The column `token`: its text, as far as it is to be kept.
    pub text: String,
    /// Whose it is; `None` when no such user exists.
    pub user: Option<UserId>,
    /// When it was made, or first seen.
    pub created_at: Timestamp,
    /// Its `exp` claim.
    pub expires_at: Timestamp,
}

/// A recorded token.
#[derive(Clone, PartialEq, Eq)]
pub struct OutstandingToken {
    /// Its `jti` claim.
    pub jti: String,
    /// The column `token`.
    pub text: String,
    /// Whose it is; `None` when that user is deleted or was never known.
    pub user: Option<UserId>,
    /// When it was made, or first seen.
    pub created_at: Option<Timestamp>,
    /// Its `exp` claim.
    pub expires_at: Timestamp,
    /// Whether it has a row in `token_blacklist_blacklistedtoken`.
    pub is_blacklisted: bool,
}

/// Without its text, which may be good to log in with.
impl fmt::Debug for NewToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jti, text: _, user, created_at, expires_at } = self;
        let mut fields = formatter.debug_struct("NewToken");
        fields.field("jti", jti).field("user", user).field("created_at", created_at);
        fields.field("expires_at", expires_at).finish_non_exhaustive()
    }
}

/// Without its text, as [`NewToken`].
impl fmt::Debug for OutstandingToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jti, text: _, user, created_at, expires_at, is_blacklisted } = self;
        let mut fields = formatter.debug_struct("OutstandingToken");
        fields.field("jti", jti).field("user", user).field("created_at", created_at);
        fields.field("expires_at", expires_at).field("is_blacklisted", is_blacklisted);
        fields.finish_non_exhaustive()
    }
}

/// Which recorded tokens are meant.
#[derive(Debug, Clone)]
pub enum TokensOf {
    /// All of one user.
    User(UserId),
    /// The one with this `jti`.
    Jti(String),
}

/// The end of a user's sessions.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// When it is.
    pub at: Timestamp,
    /// Why it is.
    pub because: EndReason,
    /// Tokens that expired at or before this can no longer be used, and are left alone.
    pub past: Timestamp,
}

/// What a call to blacklist a token found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blacklisting {
    /// It was good until now.
    Done,
    /// It had been blacklisted before.
    Already,
}

impl Store {
    /// Records a token that was just issued. A second one with the same `jti` leaves the first as it is.
    pub async fn record_token(&self, token: NewToken) -> Result<(), StoreError> {
        self.sqlite.write(move |connection| Ok(insert(connection, &token)?)).await
    }

    /// Records a login: its session, its token in Django's tables, and its time, as far as each is to be kept. False, and
    /// nothing is written, if the account was deactivated, deleted or given another password since `user` was read:
    /// whoever did that ended the sessions there were, and must not miss this one.
    pub async fn record_login(
        &self,
        session: Option<NewSession>,
        token: Option<NewToken>,
        user: &User,
        last_login: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let (id, account) = (user.id.get(), Account::of(user, true));
        self.sqlite
            .write(move |connection| {
                if !is_still(connection, &account)? {
                    return Ok(false);
                }
                if let Some(time) = last_login {
                    let sql = "UPDATE auth_user SET last_login = $2 WHERE id = $1";
                    execute(connection, sql, &[&id, &to_text(time)])?;
                }
                if let Some(session) = &session {
                    insert_session(connection, session)?;
                }
                if let Some(token) = &token {
                    insert(connection, token)?;
                }
                Ok(true)
            })
            .await
    }

    /// Whether the token with this `jti` is blacklisted.
    pub fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        self.sqlite.read(|connection| has_blacklist_row(connection, jti))
    }

    /// Blacklists a token, recording it first if that was not done when it was issued, and ends its session, if it is the
    /// present token of one.
    pub async fn blacklist_token(
        &self,
        token: NewToken,
        session: Option<SessionId>,
        at: Timestamp,
    ) -> Result<Blacklisting, StoreError> {
        let sql = "UPDATE countersign_session SET ended_at = $2, ended_because = $3
                    WHERE id = $1 AND ended_at IS NULL";
        let because = EndReason::Blacklisted.name();
        self.sqlite
            .write(move |connection| {
                if let Some(id) = &session {
                    execute(connection, sql, &[&id.as_str(), &at.as_microsecond(), &because])?;
                }
                Ok(blacklist(connection, &token, at)?)
            })
            .await
    }

    /// Blacklists `old` and records its successor, both or neither; nothing is recorded if `old` was blacklisted.
    pub async fn replace_token(
        &self,
        old: NewToken,
        successor: NewToken,
        at: Timestamp,
    ) -> Result<Blacklisting, StoreError> {
        self.sqlite
            .write(move |connection| {
                let found = blacklist(connection, &old, at)?;
                if found == Blacklisting::Done {
                    insert(connection, &successor)?;
                }
                Ok(found)
            })
            .await
    }

    /// Records `successor` unless `old` is blacklisted, which ends nothing: rotation without blacklisting.
    pub async fn record_successor(&self, old_jti: String, successor: NewToken) -> Result<bool, StoreError> {
        self.sqlite
            .write(move |connection| {
                if has_blacklist_row(connection, &old_jti)? {
                    return Ok(false);
                }
                insert(connection, &successor)?;
                Ok(true)
            })
            .await
    }

    /// The recorded tokens of a user, or the one with a `jti`; oldest first.
    pub fn outstanding_tokens(&self, of: &TokensOf) -> Result<Vec<OutstandingToken>, StoreError> {
        let (user, jti) = match of {
            TokensOf::User(user) => (Some(user.get()), None),
            TokensOf::Jti(jti) => (None, Some(jti)),
        };
        self.sqlite.read(|connection| {
            all(
                connection,
                "SELECT o.jti, o.token, o.user_id, o.created_at, o.expires_at, b.id IS NOT NULL
                   FROM token_blacklist_outstandingtoken AS o
                   LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id
                  WHERE o.user_id = $1 OR o.jti = $2
                  ORDER BY o.id",
                &[&user, &jti],
                read_token,
            )
        })
    }

    /// How many tokens are recorded.
    pub fn count_tokens(&self) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM token_blacklist_outstandingtoken";
        Ok(self.sqlite.read(|connection| first(connection, sql, &[], |row| row.get(0)))?.unwrap_or_default())
    }

    /// How many rows a flush of tokens that expired by `tokens`, and of sessions that were over by `sessions`, will delete.
    pub fn count_expired(&self, tokens: Timestamp, sessions: Timestamp) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM token_blacklist_outstandingtoken WHERE expires_at <= $1";
        self.sqlite.read(|connection| {
            let expired: Option<i64> = first(connection, sql, &[&to_text(tokens)], |row| row.get(0))?;
            Ok(expired.unwrap_or_default() + count_past(connection, sessions)?)
        })
    }

    /// Deletes the tokens recorded after the key `after` that expired at or before `until`, with their blacklist rows, of
    /// the next thousand or so expired ones; returns their number, and the key to go on after, if there are more.
    pub async fn flush_tokens(
        &self,
        after: i64,
        until: Timestamp,
    ) -> Result<(usize, Option<i64>), StoreError> {
        let last = "SELECT id FROM token_blacklist_outstandingtoken
                     WHERE id > $1 AND expires_at <= $2 ORDER BY id LIMIT 1 OFFSET $3";
        self.sqlite
            .write(move |connection| {
                let values: [&dyn ToSql; 3] = [&after, &to_text(until), &(FLUSH_LENGTH - 1)];
                let end = first(connection, last, &values, |row| row.get(0))?;
                let ids = after + 1..=end.unwrap_or(i64::MAX);
                Ok((delete_expired(connection, ids, until)?, end))
            })
            .await
    }

    /// Looks at the next few recorded tokens, round and round, and deletes those that expired at or before `until`.
    ///
    /// Called with each recording it keeps the table near the number of good tokens without a flush. Django has no
    /// index on `expires_at`, and the oldest rows alone could all be long-lived: hence the rounds by primary key.
    pub async fn sweep_expired_tokens(&self, until: Timestamp) -> Result<usize, StoreError> {
        let swept = Arc::clone(&self.swept);
        self.sqlite
            .write(move |connection| {
                let after = swept.load(Ordering::Relaxed);
                let last = "SELECT id FROM token_blacklist_outstandingtoken WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2";
                let end = first(connection, last, &[&after, &(SWEEP_LENGTH - 1)], |row| row.get(0))?;
                swept.store(end.unwrap_or(0), Ordering::Relaxed);
                delete_expired(connection, after + 1..=end.unwrap_or(i64::MAX), until)
            })
            .await
    }
}

/// Deletes what expired at or before `until` of the tokens with these keys.
fn delete_expired(
    connection: &Connection,
    ids: RangeInclusive<i64>,
    until: Timestamp,
) -> Result<usize, StoreError> {
    let values: [&dyn ToSql; 3] = [ids.start(), ids.end(), &to_text(until)];
    let any = "SELECT 1 FROM token_blacklist_outstandingtoken
                WHERE id BETWEEN $1 AND $2 AND expires_at <= $3 LIMIT 1";
    if first(connection, any, &values, |_| Ok(()))?.is_none() {
        return Ok(0);
    }
    // Foreign keys are checked at the commit, which other writes share: none may be broken by then.
    if let Some(table) = find_table_that_refers_to_tokens(connection)? {
        return Err(StoreError::TokensReferenced(table));
    }
    execute(
        connection,
        "DELETE FROM token_blacklist_blacklistedtoken WHERE token_id IN
         (SELECT id FROM token_blacklist_outstandingtoken WHERE id BETWEEN $1 AND $2 AND expires_at <= $3)",
        &values,
    )?;
    Ok(execute(
        connection,
        "DELETE FROM token_blacklist_outstandingtoken WHERE id BETWEEN $1 AND $2 AND expires_at <= $3",
        &values,
    )?)
}

/// Blacklists every recorded token of a user that is not [past its end](Ending::past), but for the one with `kept_jti`.
pub(crate) fn end_tokens(
    connection: &Connection,
    user: UserId,
    ending: &Ending,
    kept_jti: &str,
) -> rusqlite::Result<usize> {
    execute(
        connection,
        "INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)
         SELECT id, $2 FROM token_blacklist_outstandingtoken
          WHERE user_id = $1 AND expires_at > $3 AND jti <> $4
         ON CONFLICT (token_id) DO NOTHING",
        &[&user.get(), &to_text(ending.at), &to_text(ending.past), &kept_jti],
    )
}

/// A user who was deleted meanwhile is recorded as none: the broken reference would fail the commit that others share.
pub(crate) fn insert(connection: &Connection, token: &NewToken) -> rusqlite::Result<()> {
    execute(
        connection,
        "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
         VALUES ($1, $2, $3, (SELECT id FROM auth_user WHERE id = $4), $5)
         ON CONFLICT (jti) DO NOTHING",
        &[
            &token.text,
            &to_text(token.created_at),
            &to_text(token.expires_at),
            &token.user.map(UserId::get),
            &token.jti,
        ],
    )
    .map(drop)
}

pub(crate) fn blacklist(
    connection: &Connection,
    token: &NewToken,
    at: Timestamp,
) -> rusqlite::Result<Blacklisting> {
    insert(connection, token)?;
    let is_new = blacklist_recorded(connection, &token.jti, at)?;
    Ok(if is_new { Blacklisting::Done } else { Blacklisting::Already })
}

/// Blacklists the token with this `jti` if it is recorded; whether that is new.
pub(crate) fn blacklist_recorded(
    connection: &Connection,
    jti: &str,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let added = execute(
        connection,
        "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
         SELECT $2, id FROM token_blacklist_outstandingtoken WHERE jti = $1
         ON CONFLICT (token_id) DO NOTHING",
        &[&jti, &to_text(at)],
    )?;
    Ok(added == 1)
}

pub(crate) fn has_blacklist_row(connection: &Connection, jti: &str) -> rusqlite::Result<bool> {
    let found = first(
        connection,
        "SELECT 1
           FROM token_blacklist_outstandingtoken AS o
           JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id
          WHERE o.jti = $1",
        &[&jti],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

fn read_token(row: &Row<'_>) -> rusqlite::Result<OutstandingToken> {
    Ok(OutstandingToken {
        jti: row.get(0)?,
        text: row.get(1)?,
        user: row.get::<_, Option<i64>>(2)?.map(UserId::new),
        created_at: row.get::<_, Option<String>>(3)?.map(|text| from_text(3, &text)).transpose()?,
        expires_at: from_text(4, &row.get::<_, String>(4)?)?,
        is_blacklisted: row.get(5)?,
    })
}
