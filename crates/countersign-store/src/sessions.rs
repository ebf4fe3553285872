//! `countersign_session`: one row per login.

use countersign_domain::{Client, EndReason, Session, SessionId, UserId};
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, ToSql};

use crate::sqlite::{all, execute, first};
use crate::timestamp::from_microseconds;
use crate::tokens::{blacklist, blacklist_recorded, end_tokens, has_blacklist_row, insert};
use crate::users::{Account, is_still};
use crate::{Ending, NewToken, Store, StoreError};

/// Rows that a sweep looks at; a login adds one, so that sweeping is faster than growth.
const SWEEP_LENGTH: i64 = 10;
/// Rows that a flush looks at in one transaction, so that others can write between.
const FLUSH_LENGTH: i64 = 1000;

/// The columns that [`read_session`] reads, in its order.
macro_rules! session_columns {
    () => {
        "id, user_id, generation, replaced_jti, rotated_at, created_at, last_seen_at, expires_at, ended_at, \
         ended_because, address, client"
    };
}

/// A session to record.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When it begins.
    pub created_at: Timestamp,
    /// When its refresh token expires.
    pub expires_at: Timestamp,
    /// Who logged in.
    pub client: Client,
}

/// The exchange of a session's refresh token for a successor.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Whose token it is.
    pub session: SessionId,
    /// The session to make first where there is none, for a token that was made elsewhere, if the account is still this.
    pub begun: Option<(NewSession, Account)>,
    /// The generation that the session is at.
    pub generation: u32,
    /// The id of the token that is exchanged.
    pub jti: String,
    /// When it is.
    pub at: Timestamp,
    /// When the successor expires.
    pub expires_at: Timestamp,
    /// The exchanged token, to be blacklisted in Django's tables.
    pub blacklisted: Option<NewToken>,
    /// The successor, to be recorded in Django's tables.
    pub recorded: Option<NewToken>,
}

/// How an [`Exchange`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchanged {
    /// The session is at the next generation.
    Done,
    /// Nothing was written: the session is not at that generation any more, has ended or is not there, the token is in
    /// Django's blacklist, or the account has changed.
    Overtaken,
}

/// How many sessions and how many recorded tokens were good until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Rows of `countersign_session`.
    pub sessions: usize,
    /// Rows of Django's `token_blacklist_outstandingtoken`, which may be of the same logins.
    pub tokens: usize,
}

/// The id of a session's refresh token of some generation; how it is made is not the store's to know.
pub type RefreshId = fn(&str, u32) -> String;

impl Store {
    /// The session with this id, whether it has ended or not.
    pub fn find_session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let sql = concat!("SELECT ", session_columns!(), " FROM countersign_session WHERE id = $1");
        self.sqlite.read(|connection| first(connection, sql, &[&id.as_str()], read_session))
    }

    /// The sessions of a user that have not ended or expired, the newest first, at most `limit`.
    pub fn list_sessions(
        &self,
        user: UserId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let sql = concat!(
            "SELECT ",
            session_columns!(),
            " FROM countersign_session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
               ORDER BY created_at DESC, id LIMIT $3"
        );
        let values: [&dyn ToSql; 3] = [&user.get(), &now.as_microsecond(), &limit];
        self.sqlite.read(|connection| all(connection, sql, &values, read_session))
    }

    /// Exchanges a session's refresh token for a successor, by compare-and-set on its generation: of callers who race,
    /// one succeeds. All or nothing, Django's tables included.
    pub async fn exchange(&self, exchange: Exchange) -> Result<Exchanged, StoreError> {
        self.sqlite
            .write(move |connection| {
                if has_blacklist_row(connection, &exchange.jti)? {
                    return Ok(Exchanged::Overtaken);
                }
                if let Some((session, account)) = &exchange.begun {
                    if !is_still(connection, account)? {
                        return Ok(Exchanged::Overtaken);
                    }
                    insert_session(connection, session)?;
                }
                let advanced = execute(
                    connection,
                    "UPDATE countersign_session
                        SET generation = generation + 1, replaced_jti = $3, rotated_at = $4, last_seen_at = $4,
                            expires_at = $5
                      WHERE id = $1 AND generation = $2 AND ended_at IS NULL",
                    &[
                        &exchange.session.as_str(),
                        &exchange.generation,
                        &exchange.jti,
                        &exchange.at.as_microsecond(),
                        &exchange.expires_at.as_microsecond(),
                    ],
                )?;
                if advanced == 0 {
                    return Ok(Exchanged::Overtaken);
                }
                if let Some(token) = &exchange.blacklisted {
                    blacklist(connection, token, exchange.at)?;
                }
                if let Some(token) = &exchange.recorded {
                    insert(connection, token)?;
                }
                Ok(Exchanged::Done)
            })
            .await
    }

    /// Notes that a session is in use; false, and nothing is written, if that was noted after `since`.
    pub async fn touch_session(
        &self,
        id: SessionId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE countersign_session SET last_seen_at = $3 WHERE id = $1 AND last_seen_at <= $2";
        self.sqlite
            .write(move |connection| {
                let values: [&dyn ToSql; 3] = [&id.as_str(), &since.as_microsecond(), &now.as_microsecond()];
                Ok(execute(connection, sql, &values)? == 1)
            })
            .await
    }

    /// Ends one session of a user, and its refresh token in Django's tables, where that is recorded; false if the user has
    /// no such session that has not ended. (One that was blacklisted has ended but for its access tokens, and now does.)
    pub async fn end_session(
        &self,
        id: SessionId,
        user: UserId,
        at: Timestamp,
        because: EndReason,
        refresh_id: RefreshId,
    ) -> Result<bool, StoreError> {
        self.sqlite
            .write(move |connection| {
                let generation: Option<u32> = first(
                    connection,
                    "UPDATE countersign_session SET ended_at = $3, ended_because = $4
                      WHERE id = $1 AND user_id = $2 AND (ended_at IS NULL OR ended_because = 'blacklisted')
                     RETURNING generation",
                    &[&id.as_str(), &user.get(), &at.as_microsecond(), &because.name()],
                    |row| row.get(0),
                )?;
                let Some(generation) = generation else { return Ok(false) };
                blacklist_recorded(connection, &refresh_id(id.as_str(), generation), at)?;
                Ok(true)
            })
            .await
    }

    /// Ends every session and every recorded token of a user, but for the session `except` and its refresh token.
    pub async fn end_sessions(
        &self,
        user: UserId,
        ending: Ending,
        except: Option<(SessionId, RefreshId)>,
    ) -> Result<Ended, StoreError> {
        self.sqlite
            .write(move |connection| {
                let kept = except.as_ref().map(|(id, _)| id.as_str()).unwrap_or_default();
                let generation: Option<u32> = first(
                    connection,
                    "SELECT generation FROM countersign_session WHERE id = $1",
                    &[&kept],
                    |row| row.get(0),
                )?;
                let kept_jti = match (&except, generation) {
                    (Some((id, refresh_id)), Some(generation)) => refresh_id(id.as_str(), generation),
                    _ => String::new(),
                };
                Ok(end_all(connection, user, &ending, kept, &kept_jti)?)
            })
            .await
    }

    /// Looks at the next few sessions, round and round, and deletes those that expired or ended at or before `until`.
    pub async fn sweep_sessions(&self, until: Timestamp) -> Result<usize, StoreError> {
        let swept = self.swept_session.clone();
        self.sqlite
            .write(move |connection| {
                let mut after = swept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let (deleted, end) = delete_next(connection, &after, SWEEP_LENGTH, until)?;
                *after = end.unwrap_or_default();
                Ok::<_, StoreError>(deleted)
            })
            .await
    }

    /// Deletes the sessions after `after` that expired or ended at or before `until`, of the next thousand or so; returns
    /// their number, and the id to go on after, if there are more.
    pub async fn flush_sessions(
        &self,
        after: String,
        until: Timestamp,
    ) -> Result<(usize, Option<String>), StoreError> {
        self.sqlite.write(move |connection| Ok(delete_next(connection, &after, FLUSH_LENGTH, until)?)).await
    }
}

/// How many sessions expired or ended at or before `until`.
pub(crate) fn count_past(connection: &Connection, until: Timestamp) -> rusqlite::Result<i64> {
    let sql = "SELECT count(*) FROM countersign_session WHERE COALESCE(ended_at, expires_at) <= $1";
    Ok(first(connection, sql, &[&until.as_microsecond()], |row| row.get(0))?.unwrap_or_default())
}

/// A second session with the same id leaves the first as it is.
pub(crate) fn insert_session(connection: &Connection, session: &NewSession) -> rusqlite::Result<()> {
    let created_at = session.created_at.as_microsecond();
    execute(
        connection,
        "INSERT INTO countersign_session (id, user_id, generation, rotated_at, created_at, last_seen_at, expires_at,
                                          address, client)
         VALUES ($1, $2, 0, $3, $3, $3, $4, $5, $6)
         ON CONFLICT (id) DO NOTHING",
        &[
            &session.id.as_str(),
            &session.user.get(),
            &created_at,
            &session.expires_at.as_microsecond(),
            &session.client.address,
            &session.client.name,
        ],
    )
    .map(drop)
}

/// Ends what a user has, but for one session and one token; an empty id or `jti` is nobody's.
pub(crate) fn end_all(
    connection: &Connection,
    user: UserId,
    ending: &Ending,
    kept: &str,
    kept_jti: &str,
) -> rusqlite::Result<Ended> {
    let values: [&dyn ToSql; 4] = [&user.get(), &ending.at.as_microsecond(), &ending.because.name(), &kept];
    let sessions = execute(
        connection,
        "UPDATE countersign_session SET ended_at = $2, ended_because = $3
          WHERE user_id = $1 AND ended_at IS NULL AND id <> $4",
        &values,
    )?;
    // Their access tokens were left good. They are not counted, as nobody sees them in a list.
    execute(
        connection,
        "UPDATE countersign_session SET ended_at = $2, ended_because = $3
          WHERE user_id = $1 AND ended_because = 'blacklisted' AND id <> $4",
        &values,
    )?;
    Ok(Ended { sessions, tokens: end_tokens(connection, user, ending, kept_jti)? })
}

/// Deletes the sessions of a user who is deleted.
pub(crate) fn delete_sessions(connection: &Connection, user: UserId) -> rusqlite::Result<()> {
    execute(connection, "DELETE FROM countersign_session WHERE user_id = $1", &[&user.get()]).map(drop)
}

fn delete_next(
    connection: &Connection,
    after: &str,
    length: i64,
    until: Timestamp,
) -> rusqlite::Result<(usize, Option<String>)> {
    let end: Option<String> = first(
        connection,
        "SELECT id FROM countersign_session WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2",
        &[&after, &(length - 1)],
        |row| row.get(0),
    )?;
    let last = end.as_deref().unwrap_or("g"); // beyond every hexadecimal digit
    let deleted = execute(
        connection,
        "DELETE FROM countersign_session
          WHERE id > $1 AND id <= $2 AND COALESCE(ended_at, expires_at) <= $3",
        &[&after, &last, &until.as_microsecond()],
    )?;
    Ok((deleted, end))
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let time = |index| from_microseconds(index, row.get(index)?);
    let ended = match row.get::<_, Option<i64>>(8)? {
        None => None,
        Some(at) => Some((from_microseconds(8, at)?, read_reason(row)?)),
    };
    Ok(Session {
        id: read_id(row)?,
        user: UserId::new(row.get(1)?),
        generation: row.get(2)?,
        replaced_jti: row.get(3)?,
        rotated_at: time(4)?,
        created_at: time(5)?,
        last_seen_at: time(6)?,
        expires_at: time(7)?,
        ended,
        client: Client { address: row.get(10)?, name: row.get(11)? },
    })
}

fn read_id(row: &Row<'_>) -> rusqlite::Result<SessionId> {
    let text: String = row.get(0)?;
    SessionId::parse(&text).ok_or_else(|| unreadable(0, "not the id of a session"))
}

fn read_reason(row: &Row<'_>) -> rusqlite::Result<EndReason> {
    let name: String = row.get(9)?;
    EndReason::from_name(&name).ok_or_else(|| unreadable(9, "not a reason for the end of a session"))
}

fn unreadable(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}
