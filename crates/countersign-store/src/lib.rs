//! Every SQL statement of Countersign, on an embedded SQLite database or on PostgreSQL.
//!
//! The user and token tables are Django's own, exactly as Django 5.2 makes them (`migrations/`), so that a Django
//! project can run on a database of ours. [`Store`] is the only public door: its functions are grouped by table
//! in `users`, `sessions`, `tokens`, `signing_keys` and `attempts`, and `holders` reads of several at once, each statement right above the reader of its row. No SQL is
//! written above this crate.

mod addresses;
mod adoption;
mod attempts;
mod clock;
mod columns;
mod database_url;
mod disk;
mod engine;
mod error;
mod events;
mod foreign_keys;
mod groups;
mod health;
mod holders;
mod listening;
mod mails;
mod migrations;
mod moving;
mod observing;
mod postgres;
mod refused_requests;
mod sessions;
mod signing_keys;
mod sqlite;
mod sweeping;
mod timestamp;
mod tls;
mod together;
mod tokens;
mod user_table;
mod users;

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

pub use adoption::{
    Difference, Findings, MigrationsOf, OwnObjects, Prospect, Removed, TokenSighted, UserSighted, give_back,
    refuse_in_use,
};
pub use attempts::{Charge, Charged};
pub use countersign_metrics::Metrics;
pub use database_url::{DatabaseUrl, DatabaseUrlError, Server};
pub use disk::network_file_system;
pub use error::{InsertUserError, StoreError};
pub use events::{Break, StoredEvent, Verified};
pub use holders::{Held, Named, NamedUser};
pub use mails::{Mail, Queueing};
pub use moving::{MoveError, Moved, Source};
pub use postgres::PoolOptions;
pub use sessions::{Ended, Exchange, Exchanged, NewSession, RefreshId};
pub use signing_keys::{KeyRotation, KeyState, StoredKey};
pub use tokens::{Blacklisting, Ending, NewToken, OutstandingToken, TokensOf};
pub use user_table::UserModel;
pub use users::{Account, UserChange};

use countersign_domain::{Event, LoginField, UserIdKind};
use engine::Engine;
use together::Together;

/// A migrated database, open for use. Cheap to clone; the last clone to go closes it after its waiting writes.
///
/// A function that writes returns only after its commit is on disk (`synchronous=FULL`).
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    together: Option<Arc<Together>>,
    /// The key of the recorded token that was swept last.
    swept: Arc<AtomicI64>,
    /// The id of the session that was swept last.
    swept_session: Arc<Mutex<String>>,
    made_by_django: bool,
    metrics: Arc<Metrics>,
    login_field: LoginField,
    /// What an act through this leaves behind.
    event: Option<Arc<Event>>,
}

impl Store {
    /// Opens the database at `url` and brings its tables up to date. An SQLite file is made if there is none (mode 0600);
    /// a PostgreSQL database has to be there. The connections to it belong to the runtime that this is called in.
    pub async fn open(url: &DatabaseUrl, pool: &PoolOptions) -> Result<Self, StoreError> {
        Self::open_for(url, pool, &UserModel::default()).await
    }

    /// The same, where users may be in the table of a project's own user model. Such a table has to be there, and as
    /// [`Prospect`] wants it.
    pub async fn open_for(
        url: &DatabaseUrl,
        pool: &PoolOptions,
        model: &UserModel,
    ) -> Result<Self, StoreError> {
        let metrics = Arc::<Metrics>::default();
        let users = adoption::find_user_table(url, pool, model).await?;
        let (engine, made_by_django) = match url {
            DatabaseUrl::Sqlite(path) => {
                let (sqlite, made_by_django) = sqlite::Sqlite::open(path, users, &metrics.database)?;
                (Engine::Sqlite(sqlite), made_by_django)
            }
            DatabaseUrl::Postgres(server) => {
                let in_words = |error| StoreError::of_opening(url, error);
                let postgres = postgres::Postgres::new(server, pool).map_err(in_words)?.with_users(users);
                let made_by_django = migrations::run_on(&postgres).await.map_err(in_words)?;
                (Engine::Postgres(postgres), made_by_django)
            }
        };
        let engine = Arc::new(engine);
        Ok(Self {
            together: Together::start(&engine, pool, &metrics.database.batch_lengths),
            engine,
            swept: Arc::default(),
            swept_session: Arc::default(),
            made_by_django,
            metrics,
            login_field: model.login,
            event: None,
        })
    }

    /// What users log in with, which the column `username` stands for in this crate's statements.
    #[must_use]
    pub fn login_field(&self) -> LoginField {
        self.login_field
    }

    /// Which kind of key users have.
    #[must_use]
    pub fn user_id_kind(&self) -> UserIdKind {
        self.engine.users().key()
    }

    /// Whether Django had made its tables before Countersign first opened the database.
    #[must_use]
    pub fn is_made_by_django(&self) -> bool {
        self.made_by_django
    }

    /// Whether an SQLite file passes SQLite's own integrity and foreign-key checks; the complaints otherwise. (A server
    /// keeps its own watch.)
    pub fn integrity_complaints(&self) -> Result<Vec<String>, StoreError> {
        self.engine.integrity_complaints()
    }
}

impl Prospect {
    /// Why a server would refuse what we write, and what to do, if it would. (An SQLite file says so when it is opened.)
    pub async fn refuses_writes(&self) -> Result<Option<String>, StoreError> {
        let Engine::Postgres(postgres) = &self.engine else { return Ok(None) };
        match postgres.check_writable().await {
            Err(StoreError::TakesNoWrites(why)) => Ok(Some(why)),
            checked => checked.map(|()| None),
        }
    }

    /// Which of a server's settings that keep a commit from being lost are off, as our connections find them. (On an
    /// SQLite file each connection sees to it.)
    pub async fn unsafe_settings(&self) -> Result<Vec<String>, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(Vec::new()),
            Engine::Postgres(postgres) => {
                let sql = "SELECT name FROM pg_settings
                            WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off' ORDER BY name";
                postgres.all(sql, &[], |row| row.get(0)).await
            }
        }
    }
}
