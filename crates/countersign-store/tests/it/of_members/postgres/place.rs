//! A place for one test's database on PostgreSQL, as [`member`] has it.

use countersign_store::{PoolOptions, Store};

use crate::on_postgres::place::Place as OfDjango;
pub use crate::place::{after_noon, end_tokens_of, ending, flush_tokens, noon, person, time, token};
use crate::user_model::{for_members, member, tables_of};

/// A database of its own; the tests speak of Django's tables.
pub struct Place(OfDjango);

impl Place {
    /// A migrated database; `None` where there is none.
    pub async fn open() -> Option<(Self, Store)> {
        let (place, store) = OfDjango::open().await?;
        drop(store);
        let (model, url) = (member(), place.url());
        place.run(&tables_of(&model, &url));
        let store = Store::open_for(&url, &PoolOptions::default(), &model).await.unwrap();
        Some((Self(place), store))
    }

    /// As where users are Django's own.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.0.rows(&for_members(sql))
    }

    /// Statements of another program.
    pub fn run(&self, sql: &str) {
        self.0.run(&for_members(sql));
    }
}
