//! `GET /metrics` on an address of its own: what is counted is for the operator, not for clients.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_metrics::Form;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
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
        let answer = answer(&service, request.method(), request.uri().path(), request.headers());
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer)
}

fn answer(service: &Service, method: &Method, path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let (status, content_type, text) = if path != PATH {
        (StatusCode::NOT_FOUND, "text/plain", format!("metrics are at {PATH}\n"))
    } else if method != Method::GET && method != Method::HEAD {
        (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n".to_owned())
    } else {
        let form = form(headers);
        (StatusCode::OK, form.content_type(), service.auth().metrics_text(form))
    };
    let head = Response::builder().status(status).header(CONTENT_TYPE, content_type);
    head.header(CACHE_CONTROL, "no-store")
        .body(Full::from(text))
        .expect("every header value above is visible ASCII")
}

/// `OpenMetrics` where that is asked for by name, and not less than the older form; who asks for anything gets that.
fn form(headers: &HeaderMap) -> Form {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    let weight_of = |name: &str| ranges.iter().filter_map(|range| weight(range, name)).fold(0.0, f64::max);
    let (open, plain) = (weight_of("application/openmetrics-text"), weight_of("text/plain"));
    if open > 0.0 && open >= plain { Form::OpenMetrics } else { Form::Plain }
}

/// The weight of a range of `Accept`, if it names this type.
fn weight(range: &str, name: &str) -> Option<f64> {
    let mut parts = range.split(';').map(str::trim);
    parts.next().filter(|named| named.eq_ignore_ascii_case(name))?;
    let given = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    given.map_or(Some(1.0), |given| given.parse().ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn open_metrics_are_for_who_asks_for_them() {
        for (accept, wanted) in [
            ("", Form::Plain),
            ("*/*", Form::Plain),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Form::Plain),
            ("text/plain", Form::Plain),
            ("application/openmetrics-text", Form::OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0; q=0.3, */*;q=0.1", Form::OpenMetrics),
            ("application/openmetrics-text;q=0, text/plain;q=0.1", Form::Plain),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.9", Form::Plain),
            // As Prometheus 2 and 3 ask.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Form::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1",
                Form::OpenMetrics,
            ),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(form(&headers), wanted, "{accept}");
        }
    }
}
