//! What so many ask at once that on PostgreSQL they go together: the reads of a request, and the exchanges.

use std::sync::Arc;

use countersign_metrics::BatchLengths;

use crate::engine::Engine;
use crate::holders::find_together;
use crate::postgres::batch::Batches;
use crate::sessions::exchange_together;
use crate::{Exchange, Held, Named, PoolOptions, StoreError};

/// The batches of a store. They end with it.
pub(crate) struct Together {
    /// What is read of a token, each by itself readable or not.
    pub(crate) held: Batches<Named, Result<Held, StoreError>>,
    /// Whether an exchange of a session's alone was done. One that was not may have been overtaken, or kept from its row
    /// by another for a moment.
    pub(crate) exchanges: Batches<Exchange, bool>,
}

impl Together {
    /// None for SQLite, where a read is over before another could join it, and the writer shares commits anyway.
    pub(crate) fn start(
        engine: &Arc<Engine>,
        options: &PoolOptions,
        lengths: &BatchLengths,
    ) -> Option<Arc<Self>> {
        let Engine::Postgres(_) = &**engine else { return None };
        let (readers, writers) = (Arc::clone(engine), Arc::clone(engine));
        let held = Batches::start(options, &lengths.reads, move |named: Arc<[Named]>| {
            let engine = Arc::clone(&readers);
            async move { find_together(&engine, &named).await }
        });
        let exchanges = Batches::start(options, &lengths.exchanges, move |exchanges: Arc<[Exchange]>| {
            let engine = Arc::clone(&writers);
            async move { exchange_together(&engine, &exchanges).await }
        });
        Some(Arc::new(Self { held, exchanges }))
    }
}
