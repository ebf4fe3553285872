//! What a request has to know of a token, in one statement: its user, its session, and whether it is blacklisted.

use countersign_domain::{Session, SessionId, User, UserId};

use crate::engine::{Engine, Row, Value};
use crate::sessions::{read_session, session_columns};
use crate::tokens::blacklist_row;
use crate::users::{read_user, user_columns};
use crate::{Store, StoreError};

/// How many columns [`read_session`] reads; those of the user come after.
const SESSION_COLUMNS: usize = 12;
/// Which one says whether the token is blacklisted: the first after the eleven of the user.
const BLACKLISTED: usize = SESSION_COLUMNS + 11;

/// What a token names, as far as it is to be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Its user.
    pub user: Option<NamedUser>,
    /// Its session.
    pub session: Option<SessionId>,
    /// Its own id, if it can be blacklisted.
    pub jti: Option<String>,
}

/// A user as a token names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedUser {
    /// By the primary key.
    Id(UserId),
    /// By the log-in name.
    Username(String),
}

/// What there is of what a token names, all of it at the same moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The user; `None` if there is none like that.
    pub user: Option<User>,
    /// The session, whether it has ended or not; its user may be another.
    pub session: Option<Session>,
    /// Whether the token is blacklisted.
    pub is_blacklisted: bool,
}

impl Named {
    fn user_id(&self) -> Option<UserId> {
        match self.user {
            Some(NamedUser::Id(id)) => Some(id),
            Some(NamedUser::Username(_)) | None => None,
        }
    }

    fn session_id(&self) -> Option<&str> {
        self.session.as_ref().map(SessionId::as_str)
    }
}

impl Store {
    /// What there is of what a token names.
    pub async fn find_held(&self, named: Named) -> Result<Held, StoreError> {
        if let Some(NamedUser::Username(name)) = &named.user {
            let sql = concat!(
                "SELECT s.*, u.*, EXISTS (",
                blacklist_row!(),
                "$3) FROM (SELECT 1) AS one LEFT JOIN (SELECT ",
                session_columns!(),
                " FROM countersign_session) AS s ON s.id = $2 LEFT JOIN (SELECT ",
                user_columns!(),
                " FROM auth_user WHERE username = $1) AS u ON true"
            );
            let values = [name.into(), named.session_id().into(), named.jti.as_deref().into()];
            return Ok(self.engine.first(sql, &values, read_held).await?.unwrap_or_default());
        }
        match &self.together {
            Some(together) => together.held.ask(named).await?,
            None => find_one(&self.engine, &named).await?.pop().unwrap_or_else(|| Ok(Held::default())),
        }
    }
}

/// Several on PostgreSQL, where one of them is read in a simpler way.
pub(crate) async fn find_together(
    engine: &Engine,
    named: &[Named],
) -> Result<Vec<Result<Held, StoreError>>, StoreError> {
    if let [one] = named {
        return find_one(engine, one).await;
    }
    let users: Vec<_> = named.iter().map(Named::user_id).collect();
    let sessions: Vec<_> = named.iter().map(Named::session_id).collect();
    let ids: Vec<_> = named.iter().map(|named| named.jti.as_deref()).collect();
    // The range of places says nothing, but lets the planner expect few: then it looks each up by its key, also in a
    // table that was small when the plan was made, and one plan is as good for any number.
    let sql = concat!(
        "SELECT s.*, u.*, EXISTS (",
        blacklist_row!(),
        "asked.jti) FROM unnest($1, $2, $3) WITH ORDINALITY
            AS asked (user_id, session_id, jti, place) LEFT JOIN (SELECT ",
        session_columns!(),
        " FROM countersign_session) AS s ON s.id = asked.session_id LEFT JOIN (SELECT ",
        user_columns!(),
        " FROM auth_user) AS u ON u.id = asked.user_id
           WHERE asked.place BETWEEN 1 AND 1000 ORDER BY asked.place"
    );
    let values = [Value::Users(engine.users().key(), &users), Value::Texts(&sessions), Value::Texts(&ids)];
    engine.all(sql, &values, |row| Ok(read_held(row))).await
}

/// Without a name: by the user's id.
async fn find_one(engine: &Engine, named: &Named) -> Result<Vec<Result<Held, StoreError>>, StoreError> {
    let sql = concat!(
        "SELECT s.*, u.*, EXISTS (",
        blacklist_row!(),
        "$3) FROM (SELECT 1) AS one LEFT JOIN (SELECT ",
        session_columns!(),
        " FROM countersign_session) AS s ON s.id = $2 LEFT JOIN (SELECT ",
        user_columns!(),
        " FROM auth_user) AS u ON u.id = $1"
    );
    let values = [named.user_id().into(), named.session_id().into(), named.jti.as_deref().into()];
    engine.all(sql, &values, |row| Ok(read_held(row))).await
}

fn read_held(row: &Row<'_>) -> Result<Held, StoreError> {
    let user = row.rest(SESSION_COLUMNS);
    Ok(Held {
        user: user.has(1)?.then(|| read_user(&user)).transpose()?,
        session: row.has(0)?.then(|| read_session(row)).transpose()?,
        is_blacklisted: row.get(BLACKLISTED)?,
    })
}
