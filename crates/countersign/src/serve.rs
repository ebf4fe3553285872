//! `countersign serve`: the API, until Ctrl-C or SIGTERM.

use std::sync::Arc;

use countersign_http::Service;
use countersign_store::DatabaseUrl;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::config::{Config, Files};
use crate::program::{Failure, block_on, configure, open_patiently, say};

/// Serves until told to stop, then finishes the requests in flight.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = configure(Files::MayBeMade)?;
    let address = args.addr.clone().unwrap_or_else(|| address(&config.bind, config.port));
    let greeting = Greeting::of(&config);
    let http = config.http.clone();
    block_on(async move {
        let mut signals = StopSignals::listen()?;
        let auth = tokio::select! {
            auth = open_patiently(config) => auth?,
            () = signals.next() => return Ok(()),
        };
        auth.key_ring().reseal().await?;
        let listener = TcpListener::bind(&address).await.map_err(|error| {
            Failure::Other(format!(
                "cannot listen on {address}: {error}; choose another with --addr, BIND or PORT"
            ))
        })?;
        let local = listener.local_addr().map_or(address, |local| local.to_string());
        greeting.print(&local);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let service = Arc::new(Service::new(auth, http));
        let serving = countersign_http::serve(listener, Arc::clone(&service), async {
            let _ = stopped.await;
        });
        let told_twice = async {
            signals.next().await;
            let _ = stop.send(());
            signals.next().await;
        };
        tokio::select! {
            () = serving => say("stopped"),
            () = told_twice => say("stopped at once; requests in flight were cut off"),
            never = service.auth().keep_keys_current() => match never {},
        }
        Ok(())
    })
}

fn address(bind: &str, port: u16) -> String {
    if bind.contains(':') && !bind.starts_with('[') {
        format!("[{bind}]:{port}")
    } else {
        format!("{bind}:{port}")
    }
}

/// Ctrl-C and SIGTERM: the first asks to stop, the second not to wait.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::Other(format!("signals cannot be received: {error}")))
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What the operator is told at the start.
struct Greeting {
    database: String,
    secret_key: String,
}

impl Greeting {
    fn of(config: &Config) -> Self {
        let made = |new: bool| if new { " (made now)" } else { "" };
        let secret_key = match &config.secret_key.file {
            Some((file, new)) => format!("{}{}", file.display(), made(*new)),
            None => "SECRET_KEY, as configured".to_owned(),
        };
        let database = match &config.database {
            DatabaseUrl::Sqlite(path) => {
                let has_new_key = config.secret_key.file.as_ref().is_some_and(|(_, made)| *made);
                if path.exists() && has_new_key {
                    tracing::warn!(
                        "the database was there but its key was not: a new key was made, and everyone has to log in \
                         again"
                    );
                }
                format!("{}{}", path.display(), made(!path.exists()))
            }
            DatabaseUrl::Postgres(server) => server.to_string(),
        };
        Self { database, secret_key }
    }

    fn print(&self, local: &str) {
        // What listens on every address answers on this one, under a name that is allowed by default.
        let here = local.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
        say(&format!(
            "Countersign {version} listens on http://{local}\n\
             \x20 database    {database}\n\
             \x20 secret key  {secret_key}\n\
             Next, in another terminal:\n\
             \x20 curl http://{here}/user/api/register/ -H 'Content-Type: application/json' \\\n\
             \x20   -d '{{\"username\":\"testuser\",\"email\":\"test@example.com\",\"password\":\"yourpassword\"}}'\n\
             Ctrl-C finishes the requests in flight and stops.",
            version = env!("CARGO_PKG_VERSION"),
            database = self.database,
            secret_key = self.secret_key,
        ));
    }
}
