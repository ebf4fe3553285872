//! `countersign_session`: one row per login.

use countersign_domain::{Actor, Client, EndReason, Session, SessionId, UserId};
use jiff::{SignedDuration, Timestamp};

use crate::engine::{Engine, Row, Transaction, Value, to_time};
use crate::events::{append, of_session, with_ended};
use crate::tokens::{blacklist, blacklist_recorded, blacklist_row, end_tokens, has_blacklist_row, insert};
use crate::users::{Account, is_still};
use crate::{Ending, NewToken, Store, StoreError};

/// Rows that a flush looks at in one transaction, so that others can write between.
const FLUSH_LENGTH: i64 = 1000;

/// The columns that [`read_session`] reads, in its order.
macro_rules! session_columns {
    () => {
        "id, user_id, generation, replaced_jti, rotated_at, created_at, last_seen_at, expires_at, ended_at, \
         ended_because, address, client"
    };
}
pub(crate) use session_columns;

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

impl NewSession {
    /// Its values but for its user.
    pub(crate) fn values(&self) -> [Value<'_>; 5] {
        [
            self.id.as_str().into(),
            self.created_at.as_microsecond().into(),
            self.expires_at.as_microsecond().into(),
            self.client.address.as_deref().into(),
            (&self.client.name).into(),
        ]
    }
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

impl Exchange {
    /// Whether no table of Django's is written, and the session is there.
    fn is_of_the_session_alone(&self) -> bool {
        self.begun.is_none() && self.blacklisted.is_none() && self.recorded.is_none()
    }

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            self.session.as_str().into(),
            self.generation.into(),
            (&self.jti).into(),
            self.at.as_microsecond().into(),
            self.expires_at.as_microsecond().into(),
        ]
    }
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
    pub async fn find_session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let sql = concat!("SELECT ", session_columns!(), " FROM countersign_session WHERE id = $1");
        self.engine.first(sql, &[id.as_str().into()], read_session).await
    }

    /// The sessions of a user that have not ended or expired, the newest first, at most `limit`.
    pub async fn list_sessions(
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
        let values = [user.into(), now.as_microsecond().into(), limit.into()];
        self.engine.all(sql, &values, read_session).await
    }

    /// Exchanges a session's refresh token for a successor, by compare-and-set on its generation: of callers who race,
    /// one succeeds. All or nothing, Django's tables included.
    pub async fn exchange(&self, exchange: Exchange) -> Result<Exchanged, StoreError> {
        if exchange.is_of_the_session_alone() {
            // Who is not served with the others asks alone, and may wait.
            if let Some(together) = &self.together
                && together.exchanges.ask(exchange.clone()).await?
            {
                return Ok(Exchanged::Done);
            }
            let is_done = self.engine.write_one(ADVANCE, exchange, Exchange::values).await?;
            return Ok(if is_done { Exchanged::Done } else { Exchanged::Overtaken });
        }
        self.engine
            .write(move |transaction| Box::pin(async move { advance(transaction, &exchange).await }))
            .await
    }

    /// Notes when sessions were in use: those that have not ended, and of which no use is noted since `every` before. On PostgreSQL it
    /// waits for nobody's row (what another writes to is noted at a later use), nor for a follower.
    pub async fn touch_sessions(
        &self,
        seen: Vec<(SessionId, Timestamp)>,
        every: SignedDuration,
    ) -> Result<(), StoreError> {
        let every = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
        if let Engine::Postgres(postgres) = &*self.engine {
            let ids: Vec<_> = seen.iter().map(|(id, _)| Some(id.as_str())).collect();
            let times: Vec<_> = seen.iter().map(|(_, at)| Some(at.as_microsecond())).collect();
            // The range of places is for the planner, as in `find_together`.
            let sql = "WITH free AS (
                           SELECT seen.* FROM unnest($1, $2) WITH ORDINALITY AS seen (id, at, place)
                             JOIN countersign_session AS s ON s.id = seen.id,
                                  (SELECT set_config('synchronous_commit', 'off', 't')) AS unpromised
                            WHERE seen.place BETWEEN 1 AND 1000 AND s.last_seen_at <= seen.at - $3 AND s.ended_at IS NULL
                              FOR NO KEY UPDATE OF s SKIP LOCKED)
                       UPDATE countersign_session AS s SET last_seen_at = free.at FROM free WHERE s.id = free.id";
            let values = [Value::Texts(&ids), Value::Ints(&times), every.into()];
            return postgres.try_to_write(sql, &values).await;
        }
        self.engine
            .write(move |transaction| Box::pin(async move { touch_each(transaction, &seen, every).await }))
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
        let event = of_session(self.event(), &id);
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let generation: Option<u32> = transaction
                        .first(
                            "UPDATE countersign_session SET ended_at = $3, ended_because = $4
                              WHERE id = $1 AND user_id = $2 AND (ended_at IS NULL OR ended_because = 'blacklisted')
                             RETURNING generation",
                            &[
                                id.as_str().into(),
                                user.into(),
                                at.as_microsecond().into(),
                                because.name().into(),
                            ],
                            |row| row.get(0),
                        )
                        .await?;
                    let Some(generation) = generation else { return Ok(false) };
                    blacklist_recorded(transaction, &refresh_id(id.as_str(), generation), at).await?;
                    append(transaction, event).await?;
                    Ok(true)
                })
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
        let event = self.event();
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let (kept, kept_jti) = match except {
                        None => (String::new(), String::new()),
                        Some((kept, refresh_id)) => {
                            let sql = "SELECT generation FROM countersign_session WHERE id = $1";
                            let generation: Option<u32> =
                                transaction.first(sql, &[kept.as_str().into()], |row| row.get(0)).await?;
                            let jti = generation.map(|generation| refresh_id(kept.as_str(), generation));
                            (kept.as_str().to_owned(), jti.unwrap_or_default())
                        }
                    };
                    let (ended, sessions) = end_all(transaction, user, &ending, &kept, &kept_jti).await?;
                    // That a user has nothing to end is no event: whoever has a token could fill the log with it.
                    let is_something = ended.sessions + ended.tokens > 0;
                    let event = event.filter(|event| is_something || event.actor != Actor::User);
                    append(transaction, with_ended(event, &sessions)).await?;
                    Ok(ended)
                })
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
        self.engine
            .write(move |transaction| Box::pin(async move { delete_next(transaction, &after, until).await }))
            .await
    }

    /// How many sessions expired or ended at or before `until`.
    pub(crate) async fn count_past_sessions(&self, until: Timestamp) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM countersign_session WHERE COALESCE(ended_at, expires_at) <= $1";
        let count = self.engine.first(sql, &[until.as_microsecond().into()], |row| row.get(0)).await?;
        Ok(count.unwrap_or_default())
    }

    /// How many sessions have neither ended nor expired. It reads the whole table: on an SQLite file 0.2 s for a million,
    /// in the calling thread.
    pub async fn count_live_sessions(&self, now: Timestamp) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM countersign_session WHERE ended_at IS NULL AND expires_at > $1";
        let count = self.engine.first(sql, &[now.as_microsecond().into()], |row| row.get(0)).await?;
        Ok(count.unwrap_or_default())
    }
}

/// Several on PostgreSQL: of each, whether it was done. None waits for a row that somebody else holds, so that the others
/// need not wait with it, and of two of one session one is left over.
pub(crate) async fn exchange_together(
    engine: &Engine,
    exchanges: &[Exchange],
) -> Result<Vec<bool>, StoreError> {
    let Engine::Postgres(postgres) = engine else { return Err(StoreError::NotCommitted) };
    let microseconds = |time: Timestamp| Some(time.as_microsecond());
    let ids: Vec<_> = exchanges.iter().map(|exchange| Some(exchange.session.as_str())).collect();
    let generations: Vec<_> = exchanges.iter().map(|exchange| Some(exchange.generation.into())).collect();
    let replaced: Vec<_> = exchanges.iter().map(|exchange| Some(exchange.jti.as_str())).collect();
    let times: Vec<_> = exchanges.iter().map(|exchange| microseconds(exchange.at)).collect();
    let ends: Vec<_> = exchanges.iter().map(|exchange| microseconds(exchange.expires_at)).collect();
    // The range of places is for the planner, as in `find_together`.
    let sql = concat!(
        "WITH free AS (
            SELECT asked.* FROM unnest($1, $2, $3, $4, $5) WITH ORDINALITY
                           AS asked (id, generation, jti, at, expires_at, place)
              JOIN countersign_session AS s ON s.id = asked.id
             WHERE asked.place BETWEEN 1 AND 1000 AND s.generation = asked.generation AND s.ended_at IS NULL AND NOT EXISTS (",
        blacklist_row!(),
        "asked.jti) FOR UPDATE OF s SKIP LOCKED)
         UPDATE countersign_session AS s
            SET generation = s.generation + 1, replaced_jti = free.jti, rotated_at = free.at,
                last_seen_at = free.at, expires_at = free.expires_at
           FROM free WHERE s.id = free.id RETURNING free.place"
    );
    let values = [
        Value::Texts(&ids),
        Value::Ints(&generations),
        Value::Texts(&replaced),
        Value::Ints(&times),
        Value::Ints(&ends),
    ];
    let rows = postgres.write_one(sql, &values).await?;
    let places: Vec<i64> = rows.iter().map(|row| Row::Postgres(row).get(0)).collect::<Result<_, _>>()?;
    Ok((1..).zip(exchanges).map(|(place, _)| places.contains(&place)).collect())
}

async fn touch_each(
    transaction: &mut Transaction<'_>,
    seen: &[(SessionId, Timestamp)],
    every: i64,
) -> Result<(), StoreError> {
    for (id, at) in seen {
        let sql = "UPDATE countersign_session SET last_seen_at = $2
                    WHERE id = $1 AND last_seen_at <= $2 - $3 AND ended_at IS NULL";
        transaction.execute(sql, &[id.as_str().into(), at.as_microsecond().into(), every.into()]).await?;
    }
    Ok(())
}

/// Run a second time, it finds that the session has moved on.
const ADVANCE: &str = concat!(
    "UPDATE countersign_session
        SET generation = generation + 1, replaced_jti = $3, rotated_at = $4, last_seen_at = $4, expires_at = $5
      WHERE id = $1 AND generation = $2 AND ended_at IS NULL AND NOT EXISTS (",
    blacklist_row!(),
    "$3) RETURNING generation"
);

async fn advance(transaction: &mut Transaction<'_>, exchange: &Exchange) -> Result<Exchanged, StoreError> {
    if let Some((session, account)) = &exchange.begun {
        if has_blacklist_row(transaction, &exchange.jti).await? || !is_still(transaction, account).await? {
            return Ok(Exchanged::Overtaken);
        }
        insert_session(transaction, session).await?;
    }
    if transaction.first(ADVANCE, &exchange.values(), |_| Ok(())).await?.is_none() {
        return Ok(Exchanged::Overtaken);
    }
    if let Some(token) = &exchange.blacklisted {
        blacklist(transaction, token, exchange.at).await?;
    }
    if let Some(token) = &exchange.recorded {
        insert(transaction, token).await?;
    }
    Ok(Exchanged::Done)
}

/// A second session with the same id leaves the first as it is.
pub(crate) async fn insert_session(
    transaction: &mut Transaction<'_>,
    session: &NewSession,
) -> Result<(), StoreError> {
    let inserted = transaction
        .execute(
            "INSERT INTO countersign_session (id, user_id, generation, rotated_at, created_at, last_seen_at,
                                              expires_at, address, client)
             VALUES ($1, $2, 0, $3, $3, $3, $4, $5, $6)
             ON CONFLICT (id) DO NOTHING",
            &[
                session.id.as_str().into(),
                session.user.into(),
                session.created_at.as_microsecond().into(),
                session.expires_at.as_microsecond().into(),
                session.client.address.as_deref().into(),
                (&session.client.name).into(),
            ],
        )
        .await;
    inserted.map(drop)
}

/// Ends what a user has, but for one session and one token; an empty id or `jti` is nobody's. Also returns the ids of the
/// sessions.
pub(crate) async fn end_all(
    transaction: &mut Transaction<'_>,
    user: UserId,
    ending: &Ending,
    kept: &str,
    kept_jti: &str,
) -> Result<(Ended, Vec<String>), StoreError> {
    let values = [user.into(), ending.at.as_microsecond().into(), ending.because.name().into(), kept.into()];
    let sessions: Vec<String> = transaction
        .all(
            "UPDATE countersign_session SET ended_at = $2, ended_because = $3
              WHERE user_id = $1 AND ended_at IS NULL AND id <> $4 RETURNING id",
            &values,
            |row| row.get(0),
        )
        .await?;
    // Their access tokens were left good. They are not counted, as nobody sees them in a list.
    transaction
        .execute(
            "UPDATE countersign_session SET ended_at = $2, ended_because = $3
              WHERE user_id = $1 AND ended_because = 'blacklisted' AND id <> $4",
            &values,
        )
        .await?;
    let tokens = end_tokens(transaction, user, ending, kept_jti).await?;
    Ok((Ended { sessions: sessions.len(), tokens }, sessions))
}

async fn delete_next(
    transaction: &mut Transaction<'_>,
    after: &str,
    until: Timestamp,
) -> Result<(usize, Option<String>), StoreError> {
    let end: Option<String> = transaction
        .first(
            "SELECT id FROM countersign_session WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2",
            &[after.into(), (FLUSH_LENGTH - 1).into()],
            |row| row.get(0),
        )
        .await?;
    let last = end.as_deref().unwrap_or("g"); // beyond every hexadecimal digit
    let deleted = transaction
        .execute(
            "DELETE FROM countersign_session
              WHERE id > $1 AND id <= $2 AND COALESCE(ended_at, expires_at) <= $3",
            &[after.into(), last.into(), until.as_microsecond().into()],
        )
        .await?;
    Ok((deleted, end))
}

pub(crate) fn read_session(row: &Row<'_>) -> Result<Session, StoreError> {
    let ended = match row.get::<Option<i64>>(8)? {
        None => None,
        Some(at) => Some((to_time(at)?, read_reason(row)?)),
    };
    Ok(Session {
        id: read_id(row)?,
        user: row.get(1)?,
        generation: row.get(2)?,
        replaced_jti: row.get(3)?,
        rotated_at: row.get_time(4)?,
        created_at: row.get_time(5)?,
        last_seen_at: row.get_time(6)?,
        expires_at: row.get_time(7)?,
        ended,
        client: Client { address: row.get(10)?, name: row.get(11)? },
    })
}

fn read_id(row: &Row<'_>) -> Result<SessionId, StoreError> {
    let text: String = row.get(0)?;
    let unreadable = || StoreError::Unreadable(format!("{text:?} is not the id of a session"));
    SessionId::parse(&text).ok_or_else(unreadable)
}

fn read_reason(row: &Row<'_>) -> Result<EndReason, StoreError> {
    let name: String = row.get(9)?;
    let unreadable = || StoreError::Unreadable(format!("{name:?} is not a reason for the end of a session"));
    EndReason::from_name(&name).ok_or_else(unreadable)
}
