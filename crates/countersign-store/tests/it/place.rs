//! A place for one test's database, the people in it, and an outside view of its file.

use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use countersign_domain::{EndReason, NewUser, PasswordHash, UserId};
use countersign_store::{DatabaseUrl, Ending, NewToken, PoolOptions, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;

/// A directory of its own with, or soon with, a database.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A migrated database.
    pub fn open() -> (Self, Store) {
        let place = Self::empty();
        let store = place.reopen().unwrap();
        (place, store)
    }

    pub fn reopen(&self) -> Result<Store, StoreError> {
        open(&self.url())
    }

    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.file())
    }

    pub fn file(&self) -> PathBuf {
        self.directory.path().join("db.sqlite3")
    }

    /// A connection that is not the store's: another process, as far as SQLite can tell.
    pub fn outside(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }

    /// Rows as text, columns joined by `|`, NULL as `-`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.outside(), sql)
    }
}

/// Opens an SQLite file, for which nothing has to be waited.
pub fn open(url: &DatabaseUrl) -> Result<Store, StoreError> {
    let options = PoolOptions::default();
    let mut opening = Box::pin(Store::open(url, &options));
    match opening.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(opened) => opened,
        Poll::Pending => panic!("an SQLite file is open at once"),
    }
}

pub fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let read = |row: &rusqlite::Row<'_>| {
        let text = |column| match row.get::<_, rusqlite::types::Value>(column)? {
            rusqlite::types::Value::Null => Ok("-".to_owned()),
            rusqlite::types::Value::Integer(number) => Ok(number.to_string()),
            rusqlite::types::Value::Text(text) => Ok(text),
            other => panic!("no column holds {other:?}"),
        };
        Ok((0..columns).map(text).collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    };
    // Raw, for a plan can be asked for without values for its parameters.
    statement.raw_query().mapped(read).map(Result::unwrap).collect()
}

/// An ordinary new user of this name.
pub fn person(username: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        email: format!("{username}@example.com"),
        password_hash: PasswordHash::new("!unusable".to_owned()),
        is_active: true,
        is_staff: false,
        is_superuser: false,
        first_name: String::new(),
        last_name: String::new(),
        last_login: None,
        date_joined: noon(),
    }
}

/// A token made at noon that is good for a day.
pub fn token(jti: &str, user: Option<UserId>) -> NewToken {
    NewToken {
        jti: jti.to_owned(),
        text: format!("header.{jti}."),
        user,
        created_at: noon(),
        expires_at: after_noon(86_400),
    }
}

/// The end of all that has not expired by then.
pub fn ending(at: Timestamp) -> Ending {
    Ending { at, because: EndReason::Operator, past: at }
}

/// Ends all that a user has; the number of recorded tokens that were good until then.
pub async fn end_tokens_of(store: &Store, user: UserId, ending: Ending) -> usize {
    store.end_sessions(user, ending, None).await.unwrap().tokens
}

/// Flushes the recorded tokens, batch after batch; their number.
pub async fn flush_tokens(store: &Store, until: Timestamp) -> Result<usize, StoreError> {
    let (mut flushed, mut next) = (0, Some(0));
    while let Some(after) = next {
        let (deleted, end) = store.flush_tokens(after, until).await?;
        flushed += deleted;
        next = end;
    }
    Ok(flushed)
}

pub fn noon() -> Timestamp {
    time("2026-01-01T12:00:00Z")
}

pub fn after_noon(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A write that waits for its commit.
pub type Waiting<T> = Pin<Box<dyn Future<Output = T>>>;

/// Hands a write to the store and comes back while it waits. Outside a runtime, where nothing limits how many are polled.
pub fn begin<T: 'static>(write: impl Future<Output = T> + 'static) -> Waiting<T> {
    let mut write = Box::pin(write);
    match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => write,
        Poll::Ready(done) => Box::pin(std::future::ready(done)), // on a busy machine the writer may be the faster
    }
}

pub fn wait<T>(write: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(write)
}
