//! `countersign serve`: the API, until Ctrl-C or SIGTERM.

mod greeting;
mod metrics;
mod reload;
mod systemd;
mod watch;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use countersign_auth::{Auth, MailServer};
use countersign_http::{Limits, Manners, Service, Tls};
use countersign_store::Mail;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use self::greeting::Greeting;
use self::metrics::MetricsServer;
use self::watch::Watch;
use crate::check::transport::plain_http;
use crate::cli::ServeArgs;
use crate::config::{Drain, TlsFiles};
use crate::program::{Failure, Serving, block_on, configure_to_serve, open_patiently, read_sources, say};

/// How long the end waits for a collector.
const LAST_TRACES: Duration = Duration::from_secs(3);
/// How long the message that is just being sent may take at the end; else it is sent again.
const LAST_MAIL: Duration = Duration::from_secs(2);
/// How long the last refusals, and the last use of sessions, may take to be recorded at the end.
const LAST_RECORDS: Duration = Duration::from_secs(2);

/// Serves until told to stop, then finishes the requests in flight.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let serving = configure_to_serve(&read_sources()?)?;
    let given = systemd::listener()?;
    let config = &serving.config;
    let address = args.addr.clone().unwrap_or_else(|| address(&config.bind, config.port));
    let greeting = Greeting::of(config);
    let greet = |local: &str, metrics: Option<&str>| greeting.print(local, metrics);
    until_stopped(serving, given, address, Hangup::Reloads, async |_: &Auth| Ok(()), greet)
}

/// Serves until told to stop: what is to be done before anybody is let in, and how it is then told, is the caller's.
pub fn until_stopped(
    Serving { config, started, log, traces, lines }: Serving,
    given: Option<StdListener>,
    address: String,
    at_hangup: Hangup,
    prepare: impl AsyncFnOnce(&Auth) -> Result<(), Failure>,
    greet: impl FnOnce(&str, Option<&str>),
) -> Result<(), Failure> {
    let metrics_bind = config.metrics_bind.clone();
    let (http, drain, watch) = (config.http.clone(), config.drain, Watch::new(&config));
    let tls = config.tls.as_ref().map(TlsFiles::load).transpose()?;
    let mail_server = config.mail.as_ref().map(MailServer::new).transpose().map_err(Failure::Other)?;
    let has_proxies = !config.http.trusted_proxies.is_empty();
    let exposed = plain_http(&config, false).filter(|_| !config.debug && !has_proxies);
    let served = block_on(async move {
        let mut signals = StopSignals::listen(at_hangup)?;
        let hangup = listen(SignalKind::hangup())?;
        let auth = tokio::select! {
            auth = open_patiently(config) => auth?,
            () = signals.next() => return Ok(()),
        };
        tokio::select! {
            prepared = prepare(&auth) => prepared?,
            () = signals.next() => return Ok(()),
        }
        auth.key_ring().reseal().await?;
        let listener = listener(given, &address).await?;
        if let Err(error) = auth.note_start(started).await {
            tracing::error!(%error, "the start is not in the audit log");
        }
        let local = listener.local_addr().ok();
        if let Some(finding) =
            exposed.filter(|_| local.is_none_or(|local| !local.ip().to_canonical().is_loopback()))
        {
            tracing::warn!("{finding}");
        }
        let metrics = MetricsServer::listen(metrics_bind.as_deref()).await?;
        let service = Arc::new(Service::new(auth, http));
        watch.look(&service).await;
        greet(&local.map_or(address, |local| local.to_string()), metrics.address().as_deref());
        systemd::ready();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = countersign_http::serve(
            listener,
            Arc::clone(&service),
            async {
                let _ = stopped.await;
            },
            Manners { tls: tls.clone(), limits: Limits::default(), deadline: drain.timeout },
        );
        let told_twice = signals.told_twice(&service, drain, || {
            let _ = stop.send(());
        });
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let mut audit = std::pin::pin!(service.auth().keep_audit(async {
            let _ = ended.await;
        }));
        let (end_mail, mail_ended) = tokio::sync::oneshot::channel::<()>();
        let compose = async |mail: &Mail| service.auth().compose(mail).await;
        let mut mail = std::pin::pin!(service.auth().keep_mail(mail_server.as_ref(), compose, async {
            let _ = mail_ended.await;
        }));
        tokio::select! {
            () = serving => say("stopped"),
            () = told_twice => say("stopped at once; requests in flight were cut off"),
            never = service.auth().keep_keys_current() => match never {},
            never = service.auth().keep_knowing_hashes() => match never {},
            never = service.auth().keep_noting_last_seen() => match never {},
            recorded = &mut audit => recorded?, // never, before it is told to end
            () = &mut mail => {} // as little
            never = watch.keep_looking(&service) => match never {},
            never = metrics.serve(&service) => match never {},
            never = watch.feed_watchdog() => match never {},
            never = reload::at_each(hangup, &service, tls.as_deref(), &log, &watch) => match never {},
            never = keep_current(tls.as_deref()) => match never {},
        }
        drop((end, end_mail));
        let (recorded, ..) = tokio::join!(
            tokio::time::timeout(LAST_RECORDS, audit),
            tokio::time::timeout(LAST_MAIL, mail),
            tokio::time::timeout(LAST_RECORDS, service.auth().note_last_seen()),
        );
        if !matches!(recorded, Ok(Ok(()))) {
            tracing::warn!("the last refusals were not recorded; see that the database can be reached");
        }
        Ok(())
    });
    if let Some(traces) = traces {
        traces.stop(LAST_TRACES);
    }
    drop(lines);
    served
}

/// Has the certificate be that of the files, if there is one.
async fn keep_current(tls: Option<&Tls>) -> Infallible {
    match tls {
        Some(tls) => tls.keep_current().await,
        None => std::future::pending().await,
    }
}

/// The socket that was given, or one of our own.
async fn listener(given: Option<StdListener>, address: &str) -> Result<TcpListener, Failure> {
    if let Some(given) = given {
        let taken = given.set_nonblocking(true).and_then(|()| TcpListener::from_std(given));
        return taken.map_err(|error| {
            Failure::Other(format!("the socket that was passed is no use: {error}; see ListenStream="))
        });
    }
    listen_on(address).await.map_err(|error| {
        Failure::Other(format!(
            "cannot listen on {address}: {error}; choose another with --addr, BIND or PORT"
        ))
    })
}

/// Connections that may wait to be accepted, as far as the system lets them. Tokio lets fewer: of many who come at once, some would
/// have to ask again after a second.
const BACKLOG: u32 = 4096;

/// On the first of its addresses that can be had.
async fn listen_on(address: &str) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "it is no address");
    for address in lookup_host(address).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// As one text; an IPv6 address gets its brackets.
pub fn address(bind: &str, port: u16) -> String {
    if bind.contains(':') && !bind.starts_with('[') {
        format!("[{bind}]:{port}")
    } else {
        format!("{bind}:{port}")
    }
}

/// What SIGHUP does, which also comes when the terminal is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// What can be is read anew.
    Reloads,
    /// The same as SIGTERM.
    Stops,
}

/// What comes so soon after the first signal is the same wish: a terminal and a manager each tell the whole group, or twice.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Ctrl-C and SIGTERM: the first asks to stop, one that comes later not to wait.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl StopSignals {
    fn listen(at_hangup: Hangup) -> Result<Self, Failure> {
        let hangup = (at_hangup == Hangup::Stops).then(|| listen(SignalKind::hangup())).transpose()?;
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hangup })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(()) = async { self.hangup.as_mut()?.recv().await } => {}
        }
    }

    /// Calls `stop` at the first, once others have had time to take notice; ready at the second.
    async fn told_twice(&mut self, service: &Service, drain: Drain, stop: impl FnOnce()) {
        self.next().await;
        service.drain();
        systemd::stopping();
        let mut again = pin!(self.again());
        tokio::select! {
            () = &mut again => return,
            () = tokio::time::sleep(drain.delay) => stop(),
        }
        again.await;
    }

    /// Ready at a signal that did not come together with the last.
    async fn again(&mut self) {
        let last = Instant::now();
        loop {
            self.next().await;
            if last.elapsed() >= SAME_WISH {
                return;
            }
        }
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| {
        Failure::Other(format!("signals cannot be received: {error}; look at the limits of the process"))
    })
}
