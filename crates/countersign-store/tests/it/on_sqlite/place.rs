//! A place for one test's database on SQLite, and an outside view of it.

use countersign_store::{DatabaseUrl, Store};

pub use crate::place::{after_noon, end_tokens_of, ending, flush_tokens, noon, person, time, token};

/// A file of its own.
pub struct Place(crate::place::Place);

impl Place {
    /// A migrated database; on SQLite there always is one.
    #[expect(clippy::unused_async, reason = "as on PostgreSQL, where there is something to wait for")]
    pub async fn open() -> Option<(Self, Store)> {
        let (place, store) = crate::place::Place::open();
        Some((Self(place), store))
    }

    /// Rows as text, columns joined by `|`, NULL as `-`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.0.rows(sql)
    }

    /// Where it is.
    pub fn url(&self) -> DatabaseUrl {
        self.0.url()
    }

    /// Statements of another program.
    pub fn run(&self, sql: &str) {
        self.0.outside().execute_batch(sql).unwrap();
    }

    /// Whether the database refuses a statement of another program.
    pub fn refuses(&self, sql: &str) -> bool {
        self.0.outside().execute_batch(sql).is_err()
    }
}
