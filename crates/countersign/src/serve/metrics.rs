//! Metrics, on an address of their own, if `METRICS_BIND` names one.

use std::convert::Infallible;
use std::sync::Arc;

use countersign_http::{Service, serve_metrics};
use tokio::net::TcpListener;

use crate::program::Failure;

/// Where metrics are asked for.
pub struct MetricsServer(Option<TcpListener>);

impl MetricsServer {
    /// Listens there, if anywhere.
    pub async fn listen(address: Option<&str>) -> Result<Self, Failure> {
        let Some(address) = address else { return Ok(Self(None)) };
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::Other(format!(
                "cannot listen on {address} for metrics: {error}; choose another METRICS_BIND"
            ))
        })?;
        Ok(Self(Some(listener)))
    }

    /// The address that was got.
    pub fn address(&self) -> Option<String> {
        let local = self.0.as_ref()?.local_addr().ok()?;
        Some(local.to_string())
    }

    /// Serves them, and counts what only the database knows; nothing of both where nobody listens.
    pub async fn serve(self, service: &Arc<Service>) -> Infallible {
        let Some(listener) = self.0 else { return std::future::pending().await };
        tokio::select! {
            never = serve_metrics(listener, Arc::clone(service)) => never,
            never = service.auth().keep_counting() => never,
        }
    }
}
