//! The settings of TLS: which files, and what browsers are told.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_http::Tls;

use super::reader::{Reader, refused};
use crate::sources::SettingError;

/// The files of certificate and key. They are read by who serves or checks: an administrator need not be able to.
#[derive(Clone)]
pub struct TlsFiles {
    certificates: PathBuf,
    /// The private key.
    pub key: PathBuf,
    hsts_secs: u32,
}

impl TlsFiles {
    /// Both files, or none.
    pub fn of(reader: &Reader<'_>) -> Result<Option<Self>, SettingError> {
        let path =
            |name| Ok(Some(reader.text(name)?.trim()).filter(|path| !path.is_empty()).map(PathBuf::from));
        let hsts_secs = reader.whole("SECURE_HSTS_SECONDS")?;
        match (path("TLS_CERT_FILE")?, path("TLS_KEY_FILE")?) {
            (Some(certificates), Some(key)) => Ok(Some(Self { certificates, key, hsts_secs })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(refused(
                "TLS_KEY_FILE",
                "is not set, and TLS_CERT_FILE is; name the file of the certificate's private key, or remove TLS_CERT_FILE",
            )),
            (None, Some(_)) => Err(refused(
                "TLS_CERT_FILE",
                "is not set, and TLS_KEY_FILE is; name the file of the key's certificate, or remove TLS_KEY_FILE",
            )),
        }
    }

    /// Reads them.
    pub fn load(&self) -> Result<Arc<Tls>, SettingError> {
        Tls::load(&self.certificates, &self.key, self.hsts_secs)
            .map(Arc::new)
            .map_err(|error| SettingError(error.to_string()))
    }
}
