//! SIGHUP: the log's level, the keys and the certificate are read anew. What cannot be used changes nothing, and is told.

use std::convert::Infallible;

use countersign_http::{Service, Tls};
use tokio::signal::unix::Signal;

use super::systemd;
use super::watch::Watch;
use crate::logging::{Handle, filter};
use crate::program::{Failure, read_sources};

/// Reads anew at each signal, for ever: to be run beside the server.
pub async fn at_each(
    mut hangup: Signal,
    service: &Service,
    tls: Option<&Tls>,
    log: &Handle,
    watch: &Watch,
) -> Infallible {
    loop {
        if hangup.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        systemd::reloading();
        let keys = service.auth().reload_keys().await.map(drop).map_err(Failure::from);
        let certificate = tls.map_or(Ok(()), Tls::reload).map_err(|error| Failure::Other(error.to_string()));
        // Each by itself: a mistyped LOG must not keep a key in use that was taken away.
        let outcomes = [keys, certificate, reload_filter(log)];
        systemd::ready();
        watch.tell_manager();
        if outcomes.iter().all(Result::is_ok) {
            tracing::info!(
                "LOG, the signing keys and the certificate are read anew; other settings need a restart"
            );
        }
        for error in outcomes.into_iter().filter_map(Result::err) {
            tracing::error!(%error, "what was read anew cannot be used; what was before stays");
            systemd::status(&format!("SIGHUP: what was before stays: {error}"));
        }
    }
}

fn reload_filter(log: &Handle) -> Result<(), Failure> {
    let sources = read_sources()?;
    let filter = filter(&sources).map_err(|error| sources.located(error))?;
    log.reload(filter).map_err(|error| Failure::Other(error.to_string()))
}
