//! The way to the collector: one request a batch. That it is away is told once, and so is that it is there again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::Headers;

/// What is read of an answer, which says at the most that spans were refused.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// Puts batches to a collector.
#[derive(Debug)]
pub(crate) struct Collector {
    agent: Agent,
    headers: HeaderMap,
    is_away: AtomicBool,
}

impl Collector {
    pub(crate) fn new(headers: Headers, timeout: Duration, is_https: bool) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .proxy(None)
            .tls_config(if is_https { tls() } else { TlsConfig::default() });
        Self { agent: config.build().new_agent(), headers: headers.0, is_away: AtomicBool::new(false) }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (mut head, body) = request.into_parts();
        // The library adds those of OTEL_EXPORTER_OTLP_TRACES_HEADERS, which is none of our settings.
        head.headers = [head.headers.remove(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, kind))]
            .into_iter()
            .flatten()
            .collect();
        head.headers.extend(self.headers.clone());
        let mut answer = self.agent.run(Request::from_parts(head, &*body))?;
        let read = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec()?;
        Ok(answer.map(|_| read.into()))
    }

    fn tell(&self, sent: &Result<Response<Bytes>, ureq::Error>) {
        let why = match sent {
            Ok(answer) if answer.status().is_success() => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    tracing::info!("traces can be sent again");
                }
                return;
            }
            Ok(answer) => format!("the collector answers {}", answer.status()),
            Err(error) => error.to_string(),
        };
        if !self.is_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "traces cannot be sent, and are lost until they can: {why}; see OTEL_EXPORTER_OTLP_ENDPOINT"
            );
        }
    }
}

/// Blocks: it is called in the thread that sends, and nowhere else.
#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.send(request);
        self.tell(&sent);
        Ok(sent?)
    }
}

/// Trusts whom the machine trusts.
fn tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs().certs;
    let trusted: Vec<_> = found.iter().map(|found| Certificate::from_der(found).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&trusted))
        .build()
}
