//! The time by the database, where that has a clock of its own: servers whose clocks differ agree on it.

use jiff::Timestamp;

use crate::engine::Engine;
use crate::{Store, StoreError};

impl Store {
    /// What the clock of the database's server says now. An SQLite file has none but ours.
    pub async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        let Engine::Postgres(_) = &*self.engine else { return Ok(None) };
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        self.engine.first(sql, &[], |row| row.get_time(0)).await
    }
}
