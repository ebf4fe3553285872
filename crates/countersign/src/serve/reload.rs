//! SIGHUP: the log's level and the keys are read anew. What cannot be used changes nothing, and is told.

use std::convert::Infallible;

use countersign_http::Service;
use tokio::signal::unix::Signal;

use super::systemd;
use crate::logging::{Handle, filter};
use crate::program::{Failure, read_sources};

/// Reads anew at each signal, for ever: to be run beside the server.
pub async fn at_each(mut hangup: Signal, service: &Service, log: &Handle) -> Infallible {
    loop {
        if hangup.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        systemd::reloading();
        match reload(service, log).await {
            Ok(()) => tracing::info!("LOG and the signing keys are read anew; other settings need a restart"),
            Err(error) => tracing::error!(%error, "what was read anew cannot be used; what was before stays"),
        }
        systemd::ready();
    }
}

/// The keys first: a mistyped LOG must not keep a key in use that was taken away.
async fn reload(service: &Service, log: &Handle) -> Result<(), Failure> {
    service.auth().reload_keys().await?;
    let filter = filter(&read_sources()?)?;
    log.reload(filter).map_err(|error| Failure::Other(error.to_string()))?;
    Ok(())
}
