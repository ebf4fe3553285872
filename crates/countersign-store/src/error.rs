//! What can go wrong with the database, in words for the operator's log; clients never see them.

/// The database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or made.
    #[error("the database {path} cannot be opened: {reason}")]
    Open {
        /// The path as configured.
        path: String,
        /// What SQLite or the file system said.
        reason: String,
    },
    /// The tables there are not those that Django 5.2 makes, or a later Countersign made them.
    #[error("the database cannot be migrated: {0}")]
    Migration(String),
    /// A statement failed: disk full, locked by another process, read-only, corrupt.
    #[error("the database refused a statement: {0}")]
    Statement(#[from] rusqlite::Error),
    /// A user cannot be deleted yet.
    #[error("rows of the table {0} refer to the user; delete them first, or deactivate the user")]
    UserReferenced(String),
    /// Expired tokens cannot be deleted.
    #[error("the table {0} refers to recorded tokens; flush them with Django's own flushexpiredtokens")]
    TokensReferenced(String),
    /// The transaction of a write was rolled back (the log says why), or the program is shutting down.
    #[error("the write was not committed")]
    NotCommitted,
}

/// A user could not be inserted or renamed.
#[derive(Debug, thiserror::Error)]
pub enum InsertUserError {
    /// `auth_user.username` is unique, and another row has this name.
    #[error("a user with that username already exists")]
    UsernameTaken,
    /// Anything else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for InsertUserError {
    fn from(error: rusqlite::Error) -> Self {
        // auth_user has no other unique column than its key, which the database chooses.
        match error.sqlite_error() {
            Some(cause) if cause.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => {
                Self::UsernameTaken
            }
            _ => Self::Store(error.into()),
        }
    }
}
