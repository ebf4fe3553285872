//! What is told of the database to whoever watches it.

use std::sync::Arc;

use countersign_metrics::Metrics;

use crate::Store;
use crate::engine::Engine;

impl Store {
    /// Where everything on this store is counted, here and above.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Notes how the pool is used at this moment. An SQLite file has none.
    pub fn note_pool(&self) {
        let Engine::Postgres(postgres) = &*self.engine else { return };
        let pool = postgres.pool_status();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let database = &self.metrics.database;
        database.limit.set(number(pool.max_size));
        database.idle.set(number(pool.available));
        database.in_use.set(number(pool.size.saturating_sub(pool.available)));
        database.waiting.set(number(pool.waiting));
    }
}
