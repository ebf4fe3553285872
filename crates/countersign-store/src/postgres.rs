//! PostgreSQL: a pool of connections with limits and timeouts, reads on any of them, and writes as transactions.
//!
//! A statement that fails because its connection broke is tried again only where that cannot hurt: a read, a transaction
//! that could not begin, or a single statement that compares what it sets, so that a second run finds the first. What is
//! left half done when its caller goes away is rolled back.

pub(crate) mod batch;
mod writable;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::types::Type;
use tokio_postgres::{IsolationLevel, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::engine::{self, Row, Value, Work};
use crate::listening::Listener;
use crate::user_table::UserTable;
use crate::{Server, StoreError};

/// How long the server is asked to stop what nobody waits for any more.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// How connections to a PostgreSQL server are kept. An SQLite file has no use for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOptions {
    /// Connections at the most.
    pub size: usize,
    /// Whether statements are prepared under a name and kept. A `PgBouncer` in transaction mode may know none of them.
    pub prepares: bool,
    /// How long a caller waits for a connection of the pool, and a new one for the server.
    pub connect_timeout: Duration,
    /// How long a read, or all of a transaction, may take.
    pub answer_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let (connect_timeout, answer_timeout) = (Duration::from_secs(5), Duration::from_secs(10));
        Self { size: 16, prepares: true, connect_timeout, answer_timeout }
    }
}

/// A pool of connections.
pub(crate) struct Postgres {
    pool: Pool,
    connector: MakeRustlsConnect,
    options: PoolOptions,
    users: Arc<UserTable>,
    pub(crate) listener: Box<Listener>,
    /// Whether a write found no room, and none has been found since.
    has_no_room: AtomicBool,
}

/// A connection out of the pool, at work. Who lets go of it before [`Lent::give_back`] closes it: the server may still be at
/// work, and the next caller would wait for that, and stop it when it takes too long.
struct Lent(Option<Object>);

/// One state of the database for as long as it is held: a connection out of the pool, in a transaction that only reads.
pub(crate) struct Snapshot {
    client: ClientWrapper,
    prepares: bool,
}

/// A transaction on a connection of its own; rolled back when dropped.
#[expect(clippy::struct_field_names, reason = "it is what the driver calls it")]
pub(crate) struct Transaction<'t> {
    transaction: deadpool_postgres::Transaction<'t>,
    prepares: bool,
    pub(crate) users: Arc<UserTable>,
}

impl Postgres {
    pub(crate) fn new(server: &Server, options: &PoolOptions) -> Result<Self, StoreError> {
        let connector = server.encryption.connector().map_err(StoreError::Refused)?;
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(server.config.clone(), connector.clone(), manager_config);
        let timeout = Some(options.connect_timeout);
        let pool = Pool::builder(manager)
            .max_size(options.size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .recycle_timeout(timeout)
            .build()
            .map_err(|error| StoreError::Statement(Box::new(error)))?;
        let listener = Box::new(Listener::new(server, connector.clone(), options));
        Ok(Self {
            pool,
            connector,
            options: options.clone(),
            users: Arc::default(),
            listener,
            has_no_room: AtomicBool::new(false),
        })
    }

    /// The same server, where the users are in this table.
    pub(crate) fn with_users(mut self, users: UserTable) -> Self {
        self.users = Arc::new(users);
        self
    }

    pub(crate) fn users(&self) -> &UserTable {
        &self.users
    }

    /// How the pool is used at this moment.
    pub(crate) fn pool_status(&self) -> deadpool_postgres::Status {
        self.pool.status()
    }

    /// The present state, however long it is looked at.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let client = Object::take(self.pool.get().await?);
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(Snapshot { client, prepares: self.options.prepares })
    }

    pub(crate) async fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.rows(sql, values).await?.first().map(|row| read(&Row::Postgres(row))).transpose()
    }

    pub(crate) async fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows(sql, values).await?.iter().map(|row| read(&Row::Postgres(row))).collect()
    }

    async fn lend(&self) -> Result<Lent, StoreError> {
        Ok(Lent(Some(self.pool.get().await?)))
    }

    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let (client, answered) = Box::pin(self.answered(sql, values)).await?;
        self.kept_unless_in_doubt(client, answered).await
    }

    /// Runs a statement that writes, without a transaction; the rows that it returned.
    ///
    /// One that takes too long is not told to stop: nobody knows whether it is at work or waits for a follower, and
    /// the write of one that is stopped then is seen by others without being safe there.
    pub(crate) async fn write_one(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let (client, answered) = Box::pin(self.answered(sql, values)).await?;
        match answered {
            Err(StoreError::TooSlow) => {
                self.discard_silent(client);
                Err(StoreError::TooSlow)
            }
            answered => self.kept_unless_in_doubt(client, self.note(answered)).await,
        }
    }

    /// The same for what nobody was promised: one that takes too long is told to stop.
    pub(crate) async fn try_to_write(&self, sql: &str, values: &[Value<'_>]) -> Result<(), StoreError> {
        let (client, answered) = Box::pin(self.answered(sql, values)).await?;
        self.kept_unless_in_doubt(client, self.note(answered)).await.map(drop)
    }

    /// Runs one statement, and again on another connection for each that turns out to be broken: when a server is started
    /// anew, all those of the pool are. And again where the server undid it for another's sake.
    ///
    /// To be boxed: what is awaited within would nest deeper than the compiler follows.
    async fn answered(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<(Lent, Result<Vec<tokio_postgres::Row>, StoreError>), StoreError> {
        let mut client = self.lend().await?;
        for _ in 0..self.options.size {
            match self.rows_on(&client, sql, values).await {
                Err(error) if error.is_of_connection() => {
                    tracing::debug!(%error, "a connection of the pool was broken");
                    drop(client);
                    client = self.lend().await?;
                }
                Err(StoreError::RolledBack(error)) => tracing::debug!(error, "a statement is run again"),
                answered => return Ok((client, answered)),
            }
        }
        let answered = self.rows_on(&client, sql, values).await;
        Ok((client, answered))
    }

    async fn rows_on(
        &self,
        client: &Lent,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        self.in_time(async {
            let client = client.client()?;
            if self.options.prepares {
                let statement = client.prepare_typed_cached(sql, &types(values)).await?;
                Ok(client.query(&statement, &references(values)).await?)
            } else {
                Ok(client.query_typed(sql, &typed(values)).await?)
            }
        })
        .await
    }

    /// Runs `work` in a transaction and commits it. A connection that breaks before the transaction has begun is replaced;
    /// later nobody knows what was done.
    pub(crate) async fn write<T: Send>(
        &self,
        work: impl for<'a, 't> FnOnce(&'a mut engine::Transaction<'t>) -> Work<'a, T> + Send,
    ) -> Result<T, StoreError> {
        self.write_within(self.options.answer_timeout, work).await
    }

    /// The same, where it may take as long as this.
    pub(crate) async fn write_within<T: Send>(
        &self,
        limit: Duration,
        work: impl for<'a, 't> FnOnce(&'a mut engine::Transaction<'t>) -> Work<'a, T> + Send,
    ) -> Result<T, StoreError> {
        let mut client = self.lend().await?;
        let mut committing = false;
        let outcome = within(limit, async {
            let mut replacements = 0..self.options.size;
            let begun = loop {
                // Statements of ours look again at what another has changed; a database may have another level by default.
                let transaction = client.client_mut()?.build_transaction();
                let error = match transaction.isolation_level(IsolationLevel::ReadCommitted).start().await {
                    Ok(begun) => break begun,
                    Err(error) => StoreError::from(error),
                };
                if !error.is_of_connection() || replacements.next().is_none() {
                    return Err(error);
                }
                tracing::debug!(%error, "a connection of the pool was broken");
                // First: a pool of one has no place for another beside it.
                drop(std::mem::replace(&mut client, Lent(None)));
                client = self.lend().await?;
            };
            let users = Arc::clone(&self.users);
            let own = Transaction { transaction: begun, prepares: self.options.prepares, users };
            let mut transaction = engine::Transaction::Postgres(own);
            let result = work(&mut transaction).await?;
            if let engine::Transaction::Postgres(own) = transaction {
                committing = true;
                own.transaction.commit().await?;
            }
            Ok(result)
        })
        .await;
        // A server that is still at work for the commit is not told to stop: a commit that waits for a follower would be
        // seen by others without being safe there.
        if committing && matches!(outcome, Err(StoreError::TooSlow)) {
            self.discard_silent(client);
            return outcome;
        }
        self.kept_unless_in_doubt(client, self.note(outcome)).await
    }

    /// The outcome. The connection goes back to the pool, unless it is broken or the server is still at work for it: then
    /// that is told to stop.
    async fn kept_unless_in_doubt<T>(
        &self,
        client: Lent,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &outcome {
            Err(StoreError::TooSlow) => {
                let token = client.client()?.cancel_token();
                let asked = token.cancel_query(self.connector.clone());
                if tokio::time::timeout(CANCEL_TIMEOUT, asked).await.is_err() {
                    tracing::debug!("the server cannot be asked to stop a statement");
                }
                self.discard_silent(client);
            }
            Err(error) if error.is_of_connection() => drop(client),
            _ => client.give_back(),
        }
        outcome
    }

    /// Closes a connection that gave no answer in time, and those that lie idle: if the server is gone without a word,
    /// so are they, and each would cost the next caller as long.
    fn discard_silent(&self, client: Lent) {
        drop(client);
        self.pool.retain(|_, _| false);
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        within(self.options.answer_timeout, work).await
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(StoreError::TooSlow))
}

impl Lent {
    fn client(&self) -> Result<&Object, StoreError> {
        self.0.as_ref().ok_or(StoreError::NotCommitted) // never: it is there until it is given back
    }

    fn client_mut(&mut self) -> Result<&mut Object, StoreError> {
        self.0.as_mut().ok_or(StoreError::NotCommitted) // never, as above
    }

    /// To the pool, as nothing is at work on it any more.
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Taken out of the pool, which may make another one for it.
        drop(self.0.take().map(Object::take));
    }
}

impl Snapshot {
    pub(crate) async fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = if self.prepares {
            let statement = self.client.prepare_typed_cached(sql, &types(values)).await?;
            self.client.query(&statement, &references(values)).await?
        } else {
            self.client.query_typed(sql, &typed(values)).await?
        };
        rows.iter().map(|row| read(&Row::Postgres(row))).collect()
    }
}

impl Transaction<'_> {
    pub(crate) async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
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
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.rows(sql, values).await?.first().map(|row| read(&Row::Postgres(row))).transpose()
    }

    pub(crate) async fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows(sql, values).await?.iter().map(|row| read(&Row::Postgres(row))).collect()
    }

    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<tokio_postgres::Row>, StoreError> {
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

    async fn prepare(&self, sql: &str, values: &[Value<'_>]) -> Result<Statement, StoreError> {
        Ok(self.transaction.prepare_typed_cached(sql, &types(values)).await?)
    }
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
