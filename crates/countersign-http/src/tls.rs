//! TLS of the server, by rustls: certificates and key come from files in PEM, and are read anew when these change. What
//! cannot be used then changes nothing.

mod client;
mod pair;

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::lingering::Lingering;

pub use self::client::exchange_encrypted;

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// In so many intervals, files that could not be used are tried again: what was wrong need not have been their content.
const RETRIED_EVERY: u32 = 30;

/// Certificates or key cannot be used: the sentence names the setting and the file, and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// Certificates and key in use.
pub struct Tls {
    certificates: PathBuf,
    key: PathBuf,
    hsts: Option<HeaderValue>,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

/// What the next client is shown.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl Current {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tls {
    /// Reads the files `TLS_CERT_FILE` and `TLS_KEY_FILE`. Answers are to say for how many seconds browsers come back
    /// with HTTPS alone (`SECURE_HSTS_SECONDS`); for none, they say nothing.
    pub fn load(certificates: &Path, key: &Path, hsts_secs: u32) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = Arc::new(Current(RwLock::new(Arc::new(pair::read(certificates, key)?))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        let hsts = (hsts_secs > 0).then(|| HeaderValue::try_from(format!("max-age={hsts_secs}")).ok());
        Ok(Self {
            certificates: certificates.to_owned(),
            key: key.to_owned(),
            hsts: hsts.flatten(),
            current,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// Reads the files anew, for those who connect from now on.
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = Arc::new(pair::read(&self.certificates, &self.key)?);
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    /// Reads the files anew whenever they have changed, for ever: to be run beside the server.
    pub async fn keep_current(&self) -> Infallible {
        let mut read = self.stamps();
        let mut seen = read;
        let mut since_failure: Option<u32> = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = self.stamps();
            since_failure = since_failure.map(|since| (since + 1) % RETRIED_EVERY);
            // Two files are exchanged one after the other: wait until nothing changes any more.
            if (now != read || since_failure == Some(0)) && now == seen {
                read = now;
                let reloaded = self.reload();
                match &reloaded {
                    Ok(()) => tracing::info!("the certificate and its key are read anew"),
                    Err(error) => tracing::error!(%error, "the certificate stays that of before"),
                }
                since_failure = reloaded.is_err().then_some(0);
            }
            seen = now;
        }
    }

    /// When the certificate ends, in seconds since 1970.
    #[must_use]
    pub fn ends_at(&self) -> Option<u64> {
        pair::ends_at(self.current.get().cert.first()?)
    }

    /// Shakes hands; also says whether the client chose HTTP/2.
    pub(crate) async fn accept(&self, stream: Lingering) -> io::Result<(TlsStream<Lingering>, bool)> {
        let stream = self.acceptor.accept(stream).await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        Ok((stream, is_http2))
    }

    /// What says that a connection is encrypted, and is to stay so (RFC 6797).
    pub(crate) fn hsts(&self) -> Option<&HeaderValue> {
        self.hsts.as_ref()
    }

    fn stamps(&self) -> [Option<SystemTime>; 2] {
        let changed = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
        [changed(&self.certificates), changed(&self.key)]
    }
}
