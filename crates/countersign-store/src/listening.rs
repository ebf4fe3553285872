//! PostgreSQL's word that the key ring has changed, on one connection of its own beside the pool.
//!
//! It only makes others look sooner: a word can be lost while the connection is made anew, and a `PgBouncer` in
//! transaction mode passes none on. Who has to see each change looks by the clock as well.

use std::convert::Infallible;
use std::future::poll_fn;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Config, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database_url::APPLICATION_NAME;
use crate::engine::Engine;
use crate::{PoolOptions, Server, Store, StoreError};

/// Between a connection that is lost and the next; it doubles while none can be had.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a silent connection is asked whether it is still there.
const ASKING: Duration = Duration::from_secs(30);

/// Makes the connection that listens.
pub(crate) struct Listener {
    config: Config,
    connector: MakeRustlsConnect,
    options: PoolOptions,
}

impl Store {
    /// Calls `changed` whenever the key ring may have been changed, by whomever, for ever: to be run beside a server, and
    /// dropped with it. On SQLite nobody gives word.
    pub async fn listen_for_keys(&self, changed: &Notify) -> Infallible {
        match &*self.engine {
            Engine::Sqlite(_) => std::future::pending().await,
            Engine::Postgres(postgres) => postgres.listener.listen(changed).await,
        }
    }
}

impl Listener {
    pub(crate) fn new(server: &Server, connector: MakeRustlsConnect, options: &PoolOptions) -> Self {
        let mut config = server.config.clone();
        // Whatever the URL calls the others: by this one it is seen that a server runs.
        config.application_name(APPLICATION_NAME);
        Self { config, connector, options: options.clone() }
    }

    async fn listen(&self, changed: &Notify) -> Infallible {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut was_heard = false;
            let Err(error) = self.hear(changed, &mut was_heard).await;
            if was_heard {
                pause = FIRST_PAUSE;
            }
            // No more than that: keys are looked at by the clock meanwhile, which complains if it cannot.
            tracing::debug!(%error, "nobody gives word of changed keys; trying again in {pause:?}");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Hears what one connection says until that breaks.
    async fn hear(&self, changed: &Notify, was_heard: &mut bool) -> Result<Infallible, StoreError> {
        let PoolOptions { connect_timeout, answer_timeout, .. } = self.options;
        let connecting = self.config.connect(self.connector.clone());
        let (client, mut connection) = in_time(connect_timeout, connecting).await?;
        let asking = async {
            in_time(answer_timeout, client.batch_execute("LISTEN countersign_key")).await?;
            *was_heard = true;
            changed.notify_one(); // of what happened before
            loop {
                sleep(ASKING).await;
                in_time(answer_timeout, client.batch_execute("")).await?;
            }
        };
        tokio::select! {
            broken = asking => broken,
            broken = pass_on(&mut connection, changed) => broken,
        }
    }
}

/// Keeps a connection going, and passes on what the server says of its own accord.
async fn pass_on<S, T>(connection: &mut Connection<S, T>, changed: &Notify) -> Result<Infallible, StoreError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => changed.notify_one(),
            Some(said) => drop(said?),
            None => return Err(StoreError::Disconnected("the server has closed it".to_owned())),
        }
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    Ok(timeout(limit, work).await.map_err(|_| StoreError::TooSlow)??)
}
