//! What can go wrong with the database, in words for the operator's log; clients never see them.

mod remedy;

use std::error::Error;

use tokio_postgres::error::{DbError, SqlState};

pub(crate) use self::remedy::{is_of_damage, of as remedy_of, told};
use crate::{DatabaseUrl, tls};

/// The database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or made, or the server cannot be reached.
    #[error("the database {path} cannot be opened: {reason}")]
    Open {
        /// The path or the address as configured, without a password.
        path: String,
        /// What the engine or the file system said, and what to do.
        reason: String,
    },
    /// The server cannot be reached now, or is about to start or to stop: trying again may help.
    #[error(
        "the database {path} cannot be reached: {reason}; see that it runs, and that the address is right"
    )]
    Unreachable {
        /// The address as configured, without a password.
        path: String,
        /// What the engine or the operating system said.
        reason: String,
    },
    /// The tables there are not those that Django 5.2 makes, or a later Countersign made them.
    #[error("the database cannot be migrated: {0}")]
    Migration(String),
    /// A statement failed: disk full, locked by another process, read-only, corrupt.
    #[error("the database refused a statement: {}", told(&**.0, remedy_of(&**.0)))]
    Statement(Box<dyn Error + Send + Sync>),
    /// A row violates a unique constraint.
    #[error("another row has this value already; choose another")]
    NotUnique,
    /// A text is longer than its column, or has a character that the database does not keep.
    #[error("a text does not fit its column: {0}; choose another")]
    DoesNotFit(String),
    /// A row holds what nobody should have written there.
    #[error("a row cannot be read: {0}; correct it in the database, or restore it from a backup")]
    Unreadable(String),
    /// The connection to the server broke; whether a write was committed is not known.
    #[error("the connection to the database broke: {0}; see that it runs, and try again")]
    Disconnected(String),
    /// A standby, a server that is told to change nothing, or a role that may not.
    #[error("the database takes no writes: {0}")]
    TakesNoWrites(String),
    /// The server does not let us in: the password, the database, or encryption.
    #[error("the database refuses the connection: {0}")]
    Refused(String),
    /// The server, or a place in the pool of connections, took too long.
    #[error("the database took too long; see what else keeps it at work, or try again")]
    TooSlow,
    /// Others have the database open.
    #[error("others have the database open; stop them first")]
    InUse,
    /// The server undid the transaction because of another one.
    #[error("the database gave way to another transaction: {0}; try again")]
    RolledBack(String),
    /// A user cannot be deleted yet.
    #[error("rows of the table {0} refer to the user; delete them first, or deactivate the user")]
    UserReferenced(String),
    /// Expired tokens cannot be deleted.
    #[error("the table {0} refers to recorded tokens; flush them with Django's own flushexpiredtokens")]
    TokensReferenced(String),
    /// A row is referred to by another table, which is named.
    #[error("rows of the table {0} refer to it; delete them first")]
    Referenced(String),
    /// The transaction of a write was rolled back (the log says why), or the program is shutting down.
    #[error("the write was not committed; the log says why, try again")]
    NotCommitted,
    /// The last write was not committed, and whether the next one would be is being tried.
    #[error("nothing can be written; the log says why")]
    NotWritable,
}

impl StoreError {
    /// What the caller is told who opens the database at `url`.
    pub(crate) fn of_opening(url: &DatabaseUrl, error: Self) -> Self {
        let path = url.to_string();
        match error {
            Self::Migration(_) | Self::Open { .. } | Self::TakesNoWrites(_) => error,
            Self::Disconnected(reason) => Self::Unreachable { path, reason },
            Self::TooSlow => Self::Unreachable { path, reason: "it took too long".to_owned() },
            Self::Refused(reason) => Self::Open { path, reason },
            Self::Statement(cause) => Self::Open { path, reason: told(&*cause, remedy_of(&*cause)) },
            error => Self::Open { path, reason: error.to_string() },
        }
    }
}

impl StoreError {
    /// What the caller is told if that is why this could not be added to the database.
    pub(crate) fn while_making(self, name: &str) -> Self {
        match self {
            Self::Statement(cause) => {
                Self::Migration(format!("{name}: {}", told(&*cause, remedy_of(&*cause))))
            }
            error => error,
        }
    }

    /// Whether a value is what the server did not take.
    pub(crate) fn is_of_a_value(&self) -> bool {
        match self {
            Self::DoesNotFit(_) => true,
            Self::Statement(error) => {
                error.downcast_ref::<Refusal>().is_some_and(|error| error.is_of_a_value)
            }
            _ => false,
        }
    }

    /// Whether another connection may do better.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Disconnected(_) | Self::TakesNoWrites(_))
    }

    /// Whether a server had no room on its disk.
    #[must_use]
    pub fn is_of_room(&self) -> bool {
        let Self::Statement(error) = self else { return false };
        error.downcast_ref::<Refusal>().is_some_and(|error| error.is_of_room)
    }

    /// The same, for another caller whom it meets too.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Disconnected(reason) => Self::Disconnected(reason.clone()),
            Self::TakesNoWrites(reason) => Self::TakesNoWrites(reason.clone()),
            Self::Refused(reason) => Self::Refused(reason.clone()),
            Self::RolledBack(reason) => Self::RolledBack(reason.clone()),
            Self::DoesNotFit(reason) => Self::DoesNotFit(reason.clone()),
            Self::TooSlow => Self::TooSlow,
            Self::NotCommitted => Self::NotCommitted,
            Self::Statement(error) => Self::Statement(Box::new(Refusal::again(&**error))),
            other => Self::Statement(other.to_string().into()),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(cause) if cause.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => Self::NotUnique,
            _ => Self::Statement(Box::new(error)),
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(cause) = error.as_db_error() else {
            let is_of_socket = error.source().is_some_and(<dyn Error>::is::<std::io::Error>);
            return if error.is_closed() || is_of_socket {
                Self::Disconnected(in_full(&error))
            } else {
                let text = in_full(&error);
                let remedy = Some(remedy::of_connection(&text));
                Self::Statement(Box::new(Refusal { text, remedy, is_of_a_value: false, is_of_room: false }))
            };
        };
        let table = || cause.table().unwrap_or("another table").to_owned();
        match *cause.code() {
            SqlState::UNIQUE_VIOLATION => Self::NotUnique,
            SqlState::FOREIGN_KEY_VIOLATION => Self::Referenced(table()),
            SqlState::STRING_DATA_RIGHT_TRUNCATION | SqlState::CHARACTER_NOT_IN_REPERTOIRE => {
                Self::DoesNotFit(cause.message().to_owned())
            }
            // Of a server that was the primary until now, too.
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::TakesNoWrites(format!(
                "{}; have DATABASE_URL lead to the primary, and see that default_transaction_read_only is off",
                cause.message()
            )),
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::TOO_MANY_CONNECTIONS => Self::Disconnected(cause.message().to_owned()),
            _ if cause.code().code().starts_with("08") => Self::Disconnected(cause.message().to_owned()),
            // What the connection has prepared is of a table that was altered since: another connection, another try.
            SqlState::FEATURE_NOT_SUPPORTED => Self::Disconnected(cause.message().to_owned()),
            SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT => Self::Refused(format!(
                "{}; behind a PgBouncer in transaction mode set DATABASE_PREPARED_STATEMENTS=off",
                cause.message()
            )),
            SqlState::QUERY_CANCELED => Self::TooSlow,
            SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE => {
                Self::RolledBack(cause.message().to_owned())
            }
            _ => Self::Statement(Box::new(Refusal::from(cause))),
        }
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => match tls::explain(&error) {
                Some(reason) => Self::Refused(reason),
                None => match Self::from(error) {
                    Self::Statement(cause) => Self::Refused(told(&*cause, remedy_of(&*cause))),
                    other => other,
                },
            },
            deadpool_postgres::PoolError::Timeout(_) => Self::TooSlow,
            other => Self::Statement(Box::new(other)),
        }
    }
}

/// A refusal of the server without its details, which may be all of a row: an address, the hash of a password.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Refusal {
    text: String,
    /// What to do, if that is known of its code.
    remedy: Option<&'static str>,
    /// Of `data exception`, the class of errors in a value.
    is_of_a_value: bool,
    /// The disk is full.
    is_of_room: bool,
}

impl From<&DbError> for Refusal {
    fn from(cause: &DbError) -> Self {
        let mut text = format!("{} {}: {}", cause.severity(), cause.code().code(), cause.message());
        for (kind, name) in [("table", cause.table()), ("constraint", cause.constraint())] {
            if let Some(name) = name {
                text = format!("{text}, {kind} {name}");
            }
        }
        let remedy = remedy::of_postgres(cause.code());
        let is_of_a_value = cause.code().code().starts_with("22");
        Self { text, remedy, is_of_a_value, is_of_room: *cause.code() == SqlState::DISK_FULL }
    }
}

impl Refusal {
    /// What is known of another error.
    fn again(error: &(dyn Error + Send + Sync + 'static)) -> Self {
        Self {
            text: error.to_string(),
            remedy: Some(remedy_of(error)),
            is_of_a_value: false,
            is_of_room: false,
        }
    }
}

/// An error with its causes: tokio-postgres says no more than "db error" by itself.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A user could not be inserted or renamed.
#[derive(Debug, thiserror::Error)]
pub enum InsertUserError {
    /// `auth_user.username` is unique, and another row has this name.
    #[error("a user with that username already exists")]
    UsernameTaken,
    /// The name, in the form that is stored, does not fit its column. (`SQLite` has no such limit.)
    #[error("the username is too long to be stored")]
    UsernameTooLong,
    /// Anything else.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for InsertUserError {
    fn from(error: StoreError) -> Self {
        match error {
            // auth_user has no other unique column than its key, which the database chooses.
            StoreError::NotUnique => Self::UsernameTaken,
            // Every other text of a new user has been measured.
            StoreError::DoesNotFit(_) => Self::UsernameTooLong,
            other => Self::Store(other),
        }
    }
}
