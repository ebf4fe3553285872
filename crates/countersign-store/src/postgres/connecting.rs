//! Connections of the pool, driven by the runtime that the store was opened on. Whoever asks for one may be on another, which
//! is at work or ends before others have done with the connection.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use deadpool_postgres::Connect;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connects on one runtime.
pub(super) struct OnOneRuntime {
    pub(super) connector: MakeRustlsConnect,
    pub(super) runtime: Handle,
}

impl Connect for OnOneRuntime {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let (config, connector) = (config.clone(), self.connector.clone());
        Box::pin(async move {
            let mut connecting = pin!(config.connect(connector));
            // A socket belongs to the runtime that it is opened in.
            let connected = poll_fn(|context| {
                let _entered = self.runtime.enter();
                connecting.as_mut().poll(context)
            });
            let (client, connection) = connected.await?;
            let driven = self.runtime.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::warn!(%error, "a connection to PostgreSQL broke");
                }
            });
            Ok((client, driven)) // the pool ends the task with the client
        })
    }
}
