//! Reading a certificate and its key from files in PEM; each refusal names the setting, the file and the fix.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};
use zeroize::Zeroizing;

use super::TlsError;

/// The pair in these files.
pub(super) fn read(certificates: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = chain(certificates)?;
    let private = private_key(key)?;
    let (certificates, key) = (certificates.display(), key.display());
    CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|error| {
        TlsError(match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                "TLS_KEY_FILE: the key in {key} is not that of the first certificate in {certificates}; name the two that \
                 were made together, the server's own certificate first"
            ),
            error => format!(
                "TLS_CERT_FILE, TLS_KEY_FILE: {certificates} and {key} cannot be used: {error}; name a certificate and its \
                 RSA, ECDSA or Ed25519 key"
            ),
        })
    })
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = file("TLS_CERT_FILE", path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(refused(
            "TLS_CERT_FILE",
            path,
            "holds no certificate in PEM; name the file that begins with \
             -----BEGIN CERTIFICATE-----, often called fullchain.pem",
        )),
        Err(error) => Err(refused("TLS_CERT_FILE", path, &format!("is no PEM: {error}; copy it anew"))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = file("TLS_KEY_FILE", path)?;
    // In PKCS #8, or as OpenSSL used to write it.
    if memchr::memmem::find(&pem, b"ENCRYPTED").is_some() {
        let why = "is encrypted, and there is nobody to ask for its password; decrypt it: openssl pkey -in OLD -out NEW";
        return Err(refused("TLS_KEY_FILE", path, why));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let why = "holds no private key in PEM; name the file that has -----BEGIN PRIVATE KEY-----, often called privkey.pem";
        refused("TLS_KEY_FILE", path, why)
    })
}

fn file(setting: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        let why = format!("cannot be read: {error}; correct the path, or let the server's user read it");
        refused(setting, path, &why)
    })
}

fn refused(setting: &str, path: &Path, why: &str) -> TlsError {
    TlsError(format!("{setting}: {} {why}", path.display()))
}

/// When a certificate ends, in seconds since 1970. Whoever verifies it at the end of all days is told, before anything
/// else is looked at: so no parser of our own is needed.
pub(super) fn ends_at(certificate: &CertificateDer<'_>) -> Option<u64> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let end_of_days = UnixTime::since_unix_epoch(Duration::MAX);
    match verifier.verify_server_cert(certificate, &[], &name, &[], end_of_days) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(not_after.as_secs())
        }
        _ => None,
    }
}
