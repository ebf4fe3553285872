//! Every SQL statement of Countersign, on an embedded SQLite database.
//!
//! The user and token tables are Django's own, exactly as Django 5.2 makes them (`migrations/`), so that a Django
//! project can run on a database of ours. [`Store`] is the only public door: its functions are grouped by table
//! in `users`, `sessions`, `tokens` and `signing_keys`, each statement right above the reader of its row. No SQL is
//! written above this crate.

mod database_url;
mod error;
mod foreign_keys;
mod groups;
mod migrations;
mod sessions;
mod signing_keys;
mod sqlite;
mod timestamp;
mod tokens;
mod users;

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use error::{InsertUserError, StoreError};
pub use sessions::{Ended, Exchange, Exchanged, NewSession, RefreshId};
pub use signing_keys::{KeyRotation, KeyState, StoredKey};
pub use tokens::{Blacklisting, Ending, NewToken, OutstandingToken, TokensOf};
pub use users::{Account, UserChange};

/// A migrated database, open for use. Cheap to clone; the last clone to go closes it after its waiting writes.
///
/// A function that writes returns only after its commit is on disk (`synchronous=FULL`).
#[derive(Clone)]
pub struct Store {
    sqlite: Arc<sqlite::Sqlite>,
    /// The key of the recorded token that was swept last.
    swept: Arc<AtomicI64>,
    /// The id of the session that was swept last.
    swept_session: Arc<Mutex<String>>,
    made_by_django: bool,
}

impl Store {
    /// Opens the database at `url`, makes the file if there is none (mode 0600), and brings its tables up to date.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let DatabaseUrl::Sqlite(path) = url;
        let mut writer = sqlite::open_writer(path)?;
        let made_by_django = migrations::run(&mut writer)?;
        Ok(Self {
            sqlite: Arc::new(sqlite::Sqlite::start(path, writer)?),
            swept: Arc::default(),
            swept_session: Arc::default(),
            made_by_django,
        })
    }

    /// Whether Django had made its tables before Countersign first opened the database.
    #[must_use]
    pub fn is_made_by_django(&self) -> bool {
        self.made_by_django
    }

    /// Whether the file passes SQLite's own integrity and foreign-key checks; the complaints otherwise.
    pub fn integrity_complaints(&self) -> Result<Vec<String>, StoreError> {
        self.sqlite.read(|connection| {
            let mut complaints: Vec<String> =
                sqlite::all(connection, "PRAGMA integrity_check", &[], |row| row.get(0))?;
            complaints.retain(|line| line != "ok");
            let orphans = sqlite::all(connection, "PRAGMA foreign_key_check", &[], |row| {
                Ok(format!(
                    "a row of {} refers to a missing row of {}",
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(2)?
                ))
            })?;
            complaints.extend(orphans);
            Ok(complaints)
        })
    }
}
