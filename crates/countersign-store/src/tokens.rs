//! `token_blacklist_outstandingtoken` and `token_blacklist_blacklistedtoken`, as Simple JWT keeps them.

use std::fmt;
use std::ops::RangeInclusive;

use countersign_domain::{EndReason, SessionId, User, UserId};
use jiff::Timestamp;

use crate::engine::{Engine, Row, Transaction};
use crate::events::{NewRow, append, of_session};
use crate::foreign_keys::{check_references, refuse_if_tokens_are_referred_to};
use crate::sessions::insert_session;
use crate::users::{Account, is_still};
use crate::{NewSession, Store, StoreError};

/// The blacklist row of a `jti`, if there is one, up to that `jti`.
macro_rules! blacklist_row {
    () => {
        "SELECT 1 FROM token_blacklist_outstandingtoken AS o \
           JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id WHERE o.jti = "
    };
}
pub(crate) use blacklist_row;

/// Rows that a flush looks for and deletes in one transaction, so that others can write between.
const FLUSH_LENGTH: i64 = 1000;

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
        self.engine.write(move |transaction| Box::pin(async move { insert(transaction, &token).await })).await
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
        let (id, account) = (user.id, Account::of(user, true));
        let event = match &session {
            Some(session) => of_session(self.event(), &session.id),
            None => self.event(),
        };
        if let (Engine::Postgres(postgres), Some(session), None, None) =
            (&*self.engine, &session, &token, last_login)
        {
            // Run a second time, it finds the session that it began. DO NOTHING would return no row for that, as if the
            // account had changed, and would write nothing, so that no commit would wait for the follower again.
            let sql = "WITH account AS (SELECT id FROM auth_user, (SELECT set_config('lock_timeout', '3s', 't')) AS bounded
                             WHERE id = $1 AND password = $2 AND is_active FOR NO KEY UPDATE OF auth_user),
                            event AS (INSERT INTO countersign_event (id, at, kind, actor, subject, request_id,
                                                                     details, personal, commitment)
                                      SELECT $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM account
                                       WHERE $8 IS NOT NULL ON CONFLICT (id) DO NOTHING)
                       INSERT INTO countersign_session (id, user_id, generation, rotated_at, created_at, last_seen_at,
                                                        expires_at, address, client)
                       SELECT $3, id, 0, $4, $4, $4, $5, $6, $7 FROM account
                       ON CONFLICT (id) DO UPDATE SET id = excluded.id
                       RETURNING id";
            let mut values = vec![account.id().into(), account.password_hash().into()];
            let event = event.as_ref().map(NewRow::of).unwrap_or_default();
            values.extend(session.values());
            values.extend(event.values());
            let sql = postgres.users().statement(sql)?;
            return Ok(!postgres.write_one(&sql, &sql.values(&values)).await?.is_empty());
        }
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    if !is_still(transaction, &account).await? {
                        return Ok(false);
                    }
                    if let Some(time) = last_login {
                        let sql = "UPDATE auth_user SET last_login = $2 WHERE id = $1";
                        transaction.execute(sql, &[id.into(), time.into()]).await?;
                    }
                    if let Some(session) = &session {
                        insert_session(transaction, session).await?;
                    }
                    if let Some(token) = &token {
                        insert(transaction, token).await?;
                    }
                    append(transaction, event).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Whether the token with this `jti` is blacklisted.
    pub async fn is_blacklisted(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.engine.first(BLACKLIST_ROW, &[jti.into()], |_| Ok(())).await?.is_some())
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
        let event = match &session {
            Some(session) => of_session(self.event(), session),
            None => self.event().map(|event| event.with("token", token.jti.clone())),
        };
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    if let Some(id) = &session {
                        let values = [id.as_str().into(), at.as_microsecond().into(), because.into()];
                        transaction.execute(sql, &values).await?;
                    }
                    let found = blacklist(transaction, &token, at).await?;
                    append(transaction, event.filter(|_| found == Blacklisting::Done)).await?;
                    Ok(found)
                })
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
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let found = blacklist(transaction, &old, at).await?;
                    if found == Blacklisting::Done {
                        insert(transaction, &successor).await?;
                    }
                    Ok(found)
                })
            })
            .await
    }

    /// Records `successor` unless `old` is blacklisted, which ends nothing: rotation without blacklisting.
    pub async fn record_successor(&self, old_jti: String, successor: NewToken) -> Result<bool, StoreError> {
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    if has_blacklist_row(transaction, &old_jti).await? {
                        return Ok(false);
                    }
                    insert(transaction, &successor).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// The recorded tokens of a user, or the one with a `jti`; oldest first.
    pub async fn outstanding_tokens(&self, of: &TokensOf) -> Result<Vec<OutstandingToken>, StoreError> {
        let (user, jti) = match of {
            TokensOf::User(user) => (Some(*user), None),
            TokensOf::Jti(jti) => (None, Some(jti.as_str())),
        };
        let sql = "SELECT o.jti, o.token, o.user_id, o.created_at, o.expires_at, b.id IS NOT NULL
                     FROM token_blacklist_outstandingtoken AS o
                     LEFT JOIN token_blacklist_blacklistedtoken AS b ON b.token_id = o.id
                    WHERE o.user_id = $1 OR o.jti = $2
                    ORDER BY o.id";
        self.engine.all(sql, &[user.into(), jti.into()], read_token).await
    }

    /// How many tokens are recorded.
    pub async fn count_tokens(&self) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM token_blacklist_outstandingtoken";
        Ok(self.engine.first(sql, &[], |row| row.get(0)).await?.unwrap_or_default())
    }

    /// How many rows a flush of tokens that expired by `tokens`, and of sessions that were over by `sessions`, will delete.
    pub async fn count_expired(&self, tokens: Timestamp, sessions: Timestamp) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM token_blacklist_outstandingtoken WHERE expires_at <= $1";
        let expired: Option<i64> = self.engine.first(sql, &[tokens.into()], |row| row.get(0)).await?;
        Ok(expired.unwrap_or_default() + self.count_past_sessions(sessions).await?)
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
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let values = [after.into(), until.into(), (FLUSH_LENGTH - 1).into()];
                    let end = transaction.first(last, &values, |row| row.get(0)).await?;
                    let ids = after + 1..=end.unwrap_or(i64::MAX);
                    Ok((delete_expired(transaction, ids, until).await?, end))
                })
            })
            .await
    }
}

const BLACKLIST_ROW: &str = concat!(blacklist_row!(), "$1");

/// Deletes what expired at or before `until` of the tokens with these keys.
pub(crate) async fn delete_expired(
    transaction: &mut Transaction<'_>,
    ids: RangeInclusive<i64>,
    until: Timestamp,
) -> Result<usize, StoreError> {
    let values = [(*ids.start()).into(), (*ids.end()).into(), until.into()];
    let any = "SELECT 1 FROM token_blacklist_outstandingtoken
                WHERE id BETWEEN $1 AND $2 AND expires_at <= $3 LIMIT 1";
    if transaction.first(any, &values, |_| Ok(())).await?.is_none() {
        return Ok(0);
    }
    refuse_if_tokens_are_referred_to(transaction).await?;
    transaction
        .execute(
            // The range is said twice: PostgreSQL would otherwise think of reading the whole table for it.
            "DELETE FROM token_blacklist_blacklistedtoken WHERE token_id BETWEEN $1 AND $2 AND token_id IN
             (SELECT id FROM token_blacklist_outstandingtoken WHERE id BETWEEN $1 AND $2 AND expires_at <= $3)",
            &values,
        )
        .await?;
    let deleted = transaction
        .execute(
            "DELETE FROM token_blacklist_outstandingtoken WHERE id BETWEEN $1 AND $2 AND expires_at <= $3",
            &values,
        )
        .await?;
    check_references(transaction).await.map_err(|error| match error {
        StoreError::Referenced(table) => StoreError::TokensReferenced(table),
        other => other,
    })?;
    Ok(deleted)
}

/// Blacklists every recorded token of a user that is not [past its end](Ending::past), but for the one with `kept_jti`.
pub(crate) async fn end_tokens(
    transaction: &mut Transaction<'_>,
    user: UserId,
    ending: &Ending,
    kept_jti: &str,
) -> Result<usize, StoreError> {
    transaction
        .execute(
            "INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)
             SELECT id, $2 FROM token_blacklist_outstandingtoken
              WHERE user_id = $1 AND expires_at > $3 AND jti <> $4
             ON CONFLICT (token_id) DO NOTHING",
            &[user.into(), ending.at.into(), ending.past.into(), kept_jti.into()],
        )
        .await
}

/// A user who was deleted meanwhile is recorded as none: the broken reference would fail the commit that others share.
pub(crate) async fn insert(transaction: &mut Transaction<'_>, token: &NewToken) -> Result<(), StoreError> {
    let inserted = transaction
        .execute(
            "INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
             VALUES ($1, $2, $3, (SELECT id FROM auth_user WHERE id = $4), $5)
             ON CONFLICT (jti) DO NOTHING",
            &[
                (&token.text).into(),
                token.created_at.into(),
                token.expires_at.into(),
                token.user.into(),
                (&token.jti).into(),
            ],
        )
        .await;
    inserted.map(drop)
}

pub(crate) async fn blacklist(
    transaction: &mut Transaction<'_>,
    token: &NewToken,
    at: Timestamp,
) -> Result<Blacklisting, StoreError> {
    insert(transaction, token).await?;
    let is_new = blacklist_recorded(transaction, &token.jti, at).await?;
    Ok(if is_new { Blacklisting::Done } else { Blacklisting::Already })
}

/// Blacklists the token with this `jti` if it is recorded; whether that is new.
pub(crate) async fn blacklist_recorded(
    transaction: &mut Transaction<'_>,
    jti: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let added = transaction
        .execute(
            "INSERT INTO token_blacklist_blacklistedtoken (blacklisted_at, token_id)
             SELECT $2, id FROM token_blacklist_outstandingtoken WHERE jti = $1
             ON CONFLICT (token_id) DO NOTHING",
            &[jti.into(), at.into()],
        )
        .await?;
    Ok(added == 1)
}

pub(crate) async fn has_blacklist_row(
    transaction: &mut Transaction<'_>,
    jti: &str,
) -> Result<bool, StoreError> {
    Ok(transaction.first(BLACKLIST_ROW, &[jti.into()], |_| Ok(())).await?.is_some())
}

fn read_token(row: &Row<'_>) -> Result<OutstandingToken, StoreError> {
    Ok(OutstandingToken {
        jti: row.get(0)?,
        text: row.get(1)?,
        user: row.get(2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        is_blacklisted: row.get(5)?,
    })
}
