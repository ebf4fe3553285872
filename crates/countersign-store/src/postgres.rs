//! PostgreSQL: a pool of connections with limits and timeouts, reads on any of them, and writes as transactions.
//!
//! A statement that fails because its connection broke is tried again only where nothing can have happened: a read, or
//! a transaction that could not begin. What is left half done when its caller goes away is rolled back.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::Type;
use tokio_postgres::{NoTls, Statement};

use crate::StoreError;
use crate::engine::{self, Row, Value, Work};

/// How long a caller waits for a connection of the pool, and a new one for the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement, or the rest of a transaction, may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How connections to a PostgreSQL server are kept. An SQLite file has no use for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOptions {
    /// Connections at the most; who finds none free waits for five seconds.
    pub size: usize,
    /// Whether statements are prepared under a name and kept. A `PgBouncer` in transaction mode may know none of them.
    pub prepares: bool,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { size: 16, prepares: true }
    }
}

/// A pool of connections.
pub(crate) struct Postgres {
    pool: Pool,
    prepares: bool,
}

/// A transaction on a connection of its own; rolled back when dropped.
pub(crate) struct Transaction<'t> {
    transaction: deadpool_postgres::Transaction<'t>,
    prepares: bool,
}

impl Postgres {
    pub(crate) fn new(config: tokio_postgres::Config, options: &PoolOptions) -> Result<Self, StoreError> {
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, manager_config);
        let pool = Pool::builder(manager)
            .max_size(options.size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .build()
            .map_err(|error| StoreError::Statement(Box::new(error)))?;
        Ok(Self { pool, prepares: options.prepares })
    }

    pub(crate) async fn first<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.rows(sql, values).await?.first().map(|row| read(&Row::Postgres(row))).transpose()
    }

    pub(crate) async fn all<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows(sql, values).await?.iter().map(|row| read(&Row::Postgres(row))).collect()
    }

    /// Reads, and once more on another connection if the first turns out to be broken.
    async fn rows(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        match self.rows_once(sql, values).await {
            Err(StoreError::Disconnected(_)) => self.rows_once(sql, values).await,
            answered => answered,
        }
    }

    async fn rows_once(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let client = self.pool.get().await?;
        let answered = in_time(async {
            if self.prepares {
                let statement = client.prepare_typed_cached(sql, &types(values)).await?;
                Ok(client.query(&statement, &references(values)).await?)
            } else {
                Ok(client.query_typed(sql, &typed(values)).await?)
            }
        })
        .await;
        if let Err(StoreError::TooSlow) = answered {
            discard(client);
        }
        answered
    }

    /// Runs `work` in a transaction and commits it. That a connection of the pool is broken is known only once it is asked
    /// for a transaction; then another one is.
    pub(crate) async fn write<T: Send>(
        &self,
        work: impl for<'a, 't> FnOnce(&'a mut engine::Transaction<'t>) -> Work<'a, T> + Send,
    ) -> Result<T, StoreError> {
        let mut client = self.pool.get().await?;
        let asked = in_time(async { Ok(client.batch_execute("").await?) }).await;
        if let Err(error) = asked {
            tracing::debug!(%error, "a connection of the pool was broken");
            discard(client);
            client = self.pool.get().await?;
        }
        let written = in_time(async {
            let own = Transaction { transaction: client.transaction().await?, prepares: self.prepares };
            let mut transaction = engine::Transaction::Postgres(own);
            let result = work(&mut transaction).await?;
            if let engine::Transaction::Postgres(own) = transaction {
                own.transaction.commit().await?;
            }
            Ok(result)
        })
        .await;
        if let Err(StoreError::TooSlow) = written {
            discard(client);
        }
        written
    }
}

impl Transaction<'_> {
    pub(crate) async fn execute(&self, sql: &'static str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let changed = if self.prepares {
            let statement = self.prepare(sql, values).await?;
            self.transaction.execute(&statement, &references(values)).await?
        } else {
            self.transaction.execute_typed(sql, &typed(values)).await?
        };
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(crate) async fn first<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.rows(sql, values).await?.first().map(|row| read(&Row::Postgres(row))).transpose()
    }

    pub(crate) async fn all<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows(sql, values).await?.iter().map(|row| read(&Row::Postgres(row))).collect()
    }

    async fn rows(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        if self.prepares {
            let statement = self.prepare(sql, values).await?;
            Ok(self.transaction.query(&statement, &references(values)).await?)
        } else {
            Ok(self.transaction.query_typed(sql, &typed(values)).await?)
        }
    }

    /// Several statements without values, within this transaction.
    pub(crate) async fn run_script(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.transaction.batch_execute(sql).await?)
    }

    async fn prepare(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Statement, StoreError> {
        Ok(self.transaction.prepare_typed_cached(sql, &types(values)).await?)
    }
}

/// Closes a connection that has fallen silent: its server may be gone without a word, and the next to use it would wait
/// as long in vain.
fn discard(client: deadpool_postgres::Object) {
    drop(deadpool_postgres::Object::take(client));
}

async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(STATEMENT_TIMEOUT, work).await.unwrap_or(Err(StoreError::TooSlow))
}

fn types(values: &[Value<'_>]) -> Vec<Type> {
    values.iter().map(Value::postgres_type).collect()
}

fn references<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn tokio_postgres::types::ToSql + Sync)).collect()
}

fn typed<'a>(values: &'a [Value<'a>]) -> Vec<(&'a (dyn tokio_postgres::types::ToSql + Sync), Type)> {
    references(values).into_iter().zip(types(values)).collect()
}
