//! `countersign serve`: the API, until Ctrl-C or SIGTERM.

mod greeting;
mod metrics;
mod reload;
mod systemd;
mod watch;

use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use countersign_http::Service;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::greeting::Greeting;
use self::metrics::MetricsServer;
use self::watch::Watch;
use crate::cli::ServeArgs;
use crate::config::Drain;
use crate::program::{Failure, Serving, block_on, configure_to_serve, open_patiently, say};

/// How long the end waits for a collector.
const LAST_TRACES: Duration = Duration::from_secs(3);
/// How long the last refusals may take to be recorded at the end.
const LAST_RECORDS: Duration = Duration::from_secs(2);

/// Serves until told to stop, then finishes the requests in flight.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let Serving { config, started, log, traces, lines } = configure_to_serve()?;
    let given = systemd::listener()?;
    let address = args.addr.clone().unwrap_or_else(|| address(&config.bind, config.port));
    let greeting = Greeting::of(&config);
    let metrics_bind = config.metrics_bind.clone();
    let (http, drain, watch) = (config.http.clone(), config.drain, Watch::new(config.min_free_disk));
    let served = block_on(async move {
        let mut signals = StopSignals::listen()?;
        let hangup = listen(SignalKind::hangup())?;
        let auth = tokio::select! {
            auth = open_patiently(config) => auth?,
            () = signals.next() => return Ok(()),
        };
        auth.key_ring().reseal().await?;
        if let Err(error) = auth.note_start(started).await {
            tracing::error!(%error, "the start is not in the audit log");
        }
        let listener = listener(given, &address).await?;
        let metrics = MetricsServer::listen(metrics_bind.as_deref()).await?;
        let service = Arc::new(Service::new(auth, http));
        watch.look(&service).await;
        greeting.print(
            &listener.local_addr().map_or(address, |local| local.to_string()),
            metrics.address().as_deref(),
        );
        systemd::ready();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = countersign_http::serve(
            listener,
            Arc::clone(&service),
            async {
                let _ = stopped.await;
            },
            drain.timeout,
        );
        let told_twice = signals.told_twice(&service, drain, || {
            let _ = stop.send(());
        });
        tokio::select! {
            () = serving => say("stopped"),
            () = told_twice => say("stopped at once; requests in flight were cut off"),
            never = service.auth().keep_keys_current() => match never {},
            never = service.auth().keep_knowing_hashes() => match never {},
            never = service.auth().keep_audit() => match never {},
            never = watch.keep_looking(&service) => match never {},
            never = metrics.serve(&service) => match never {},
            never = watch.feed_watchdog() => match never {},
            never = reload::at_each(hangup, &service, &log) => match never {},
        }
        let recorded = tokio::time::timeout(LAST_RECORDS, service.auth().record_audit()).await;
        if !matches!(recorded, Ok(Ok(()))) {
            tracing::warn!("the last refusals were not recorded");
        }
        Ok(())
    });
    if let Some(traces) = traces {
        traces.stop(LAST_TRACES);
    }
    drop(lines);
    served
}

/// The socket that was given, or one of our own.
async fn listener(given: Option<StdListener>, address: &str) -> Result<TcpListener, Failure> {
    if let Some(given) = given {
        let taken = given.set_nonblocking(true).and_then(|()| TcpListener::from_std(given));
        return taken
            .map_err(|error| Failure::Other(format!("the socket that was passed is no use: {error}")));
    }
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Other(format!(
            "cannot listen on {address}: {error}; choose another with --addr, BIND or PORT"
        ))
    })
}

/// As one text; an IPv6 address gets its brackets.
pub fn address(bind: &str, port: u16) -> String {
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
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Calls `stop` at the first, once others have had time to take notice; ready at the second.
    async fn told_twice(&mut self, service: &Service, drain: Drain, stop: impl FnOnce()) {
        self.next().await;
        service.drain();
        systemd::stopping();
        tokio::select! {
            () = self.next() => return,
            () = tokio::time::sleep(drain.delay) => stop(),
        }
        self.next().await;
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::Other(format!("signals cannot be received: {error}")))
}
