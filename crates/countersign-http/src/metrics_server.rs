//! `GET /metrics` on an address of its own: what is counted is for the operator, not for clients.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_metrics::CONTENT_TYPE as OPEN_METRICS;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Service;

const PATH: &str = "/metrics";
/// Connections at once; another one waits.
const MAX_CONNECTIONS: usize = 16;
/// Who has not sent a request, or taken the answer, by then is let go. A Prometheus asks more often.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait before accepting again when that fails.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves the metrics of `service` for ever: to be run beside the server, and dropped with it.
pub async fn serve_metrics(listener: TcpListener, service: Arc<Service>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(tokio::time::timeout(PATIENCE, connection(stream, Arc::clone(&service))));
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn connection(stream: TcpStream, service: Arc<Service>) -> impl Future<Output = hyper::Result<()>> + Send {
    let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = answer(&service, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer)
}

fn answer(service: &Service, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let (status, content_type, text) = if path != PATH {
        (StatusCode::NOT_FOUND, "text/plain", format!("metrics are at {PATH}\n"))
    } else if method != Method::GET && method != Method::HEAD {
        (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n".to_owned())
    } else {
        (StatusCode::OK, OPEN_METRICS, service.auth().metrics_text())
    };
    let head = Response::builder().status(status).header(CONTENT_TYPE, content_type);
    head.header(CACHE_CONTROL, "no-store")
        .body(Full::from(text))
        .expect("every header value above is visible ASCII")
}
