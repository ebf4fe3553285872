//! `countersign serve`: the API, until Ctrl-C or SIGTERM.

use std::sync::Arc;

use countersign_http::Service;
use tokio::net::TcpListener;

use crate::cli::ServeArgs;
use crate::config::Config;
use crate::program::{Failure, block_on, configure, open, say};

/// Serves until told to stop, then finishes the requests in flight.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = configure()?;
    let address = args.addr.clone().unwrap_or_else(|| address(&config.bind, config.port));
    let greeting = Greeting::of(&config);
    let http = config.http.clone();
    let auth = open(config)?;
    block_on(async move {
        let stop = stop_signal()?;
        let listener = TcpListener::bind(&address).await.map_err(|error| {
            Failure::Other(format!(
                "cannot listen on {address}: {error}; choose another with --addr, BIND or PORT"
            ))
        })?;
        let local = listener.local_addr().map_or(address, |local| local.to_string());
        greeting.print(&local);
        countersign_http::serve(listener, Arc::new(Service::new(auth, http)), stop).await;
        say("stopped");
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

/// Ready at Ctrl-C or SIGTERM.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|error| Failure::Other(format!("signals cannot be received: {error}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// What the operator is told at the start.
struct Greeting {
    database: String,
    secret_key: String,
}

impl Greeting {
    fn of(config: &Config) -> Self {
        let countersign_store::DatabaseUrl::Sqlite(path) = &config.database;
        let made = |new: bool| if new { " (made now)" } else { "" };
        let secret_key = match &config.secret_key.file {
            Some((file, new)) => format!("{}{}", file.display(), made(*new)),
            None => "SECRET_KEY, as configured".to_owned(),
        };
        Self { database: format!("{}{}", path.display(), made(!path.exists())), secret_key }
    }

    fn print(&self, local: &str) {
        say(&format!(
            "Countersign {version} listens on http://{local}\n\
             \x20 database    {database}\n\
             \x20 secret key  {secret_key}\n\
             Next, in another terminal:\n\
             \x20 curl http://{local}/user/api/register/ -H 'Content-Type: application/json' \\\n\
             \x20   -d '{{\"username\":\"testuser\",\"email\":\"test@example.com\",\"password\":\"yourpassword\"}}'\n\
             Ctrl-C finishes the requests in flight and stops.",
            version = env!("CARGO_PKG_VERSION"),
            database = self.database,
            secret_key = self.secret_key,
        ));
    }
}
