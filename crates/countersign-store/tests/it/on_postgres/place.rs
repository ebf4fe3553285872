//! A place for one test's database on PostgreSQL, and an outside view of it.

use countersign_store::{DatabaseUrl, PoolOptions, Store};

use crate::cluster::{Cluster, Database};
pub use crate::place::{after_noon, end_tokens_of, ending, flush_tokens, noon, person, time, token};

/// A database of its own.
pub struct Place(Database);

impl Place {
    /// A migrated database; `None` where there is no PostgreSQL, which the cluster has said.
    pub async fn open() -> Option<(Self, Store)> {
        let database = Cluster::shared()?.database();
        let store = Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
        Some((Self(database), store))
    }

    /// One that is there.
    pub fn of(database: Database) -> Self {
        Self(database)
    }

    /// Rows as text as SQLite would show them: columns joined by `|`, NULL as `-`, booleans as numbers, times in UTC
    /// without an offset.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let column = |text: &str| match text {
            "t" => "1".to_owned(),
            "f" => "0".to_owned(),
            text => text.strip_suffix("+00").unwrap_or(text).to_owned(),
        };
        let row = |row: String| row.split('|').map(column).collect::<Vec<_>>().join("|");
        self.0.rows(sql).into_iter().map(row).collect()
    }

    /// Where it is.
    pub fn url(&self) -> DatabaseUrl {
        self.address().parse().unwrap()
    }

    /// Where it is, as text.
    pub fn address(&self) -> String {
        self.0.url()
    }

    /// Statements of another program.
    pub fn run(&self, sql: &str) {
        self.0.rows(sql);
    }

    /// Whether the database refuses a statement of another program.
    pub fn refuses(&self, sql: &str) -> bool {
        self.0.try_rows(sql).is_err()
    }
}
