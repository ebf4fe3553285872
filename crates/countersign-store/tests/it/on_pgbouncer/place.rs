//! A place for one test's database behind PgBouncer, and an outside view of it that goes round it.

use countersign_store::{DatabaseUrl, PoolOptions, Store};

use super::bouncer::Bouncer;
use crate::on_postgres::place::Place as Direct;
pub use crate::place::{after_noon, end_tokens_of, ending, flush_tokens, noon, person, time, token};

/// A database of its own.
pub struct Place(Direct);

/// What a deployment behind an old PgBouncer has to set.
pub fn options() -> PoolOptions {
    PoolOptions { prepares: false, ..PoolOptions::default() }
}

impl Place {
    /// A migrated database; `None` where there is no PgBouncer or no PostgreSQL, which has been said.
    pub async fn open() -> Option<(Self, Store)> {
        let (database, url) = Bouncer::shared()?.database();
        let store = Store::open(&url.parse().unwrap(), &options()).await.unwrap();
        Some((Self(Direct::of(database)), store))
    }

    /// Where it is, past PgBouncer.
    pub fn url(&self) -> DatabaseUrl {
        self.0.url()
    }

    /// As on PostgreSQL.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.0.rows(sql)
    }

    /// Statements of another program.
    pub fn run(&self, sql: &str) {
        self.0.run(sql);
    }

    /// Whether the database refuses a statement of another program.
    pub fn refuses(&self, sql: &str) -> bool {
        self.0.refuses(sql)
    }
}
