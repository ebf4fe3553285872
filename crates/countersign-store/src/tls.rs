//! Encryption of connections to PostgreSQL, by rustls: what `sslmode` and `sslrootcert` mean, as libpq has it.
//!
//! Two things are stricter than in libpq: a certificate that is refused never leads to a connection without encryption,
//! and the name of a host is looked for among the certificate's alternative names only.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What `sslrootcert` says for the certificates that the machine trusts.
const SYSTEM: &str = "system";

/// How a connection is encrypted, and whom it trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// `sslmode`, if anything was said.
    pub(crate) mode: Option<Mode>,
    /// Of which certificates the server's has to come.
    pub(crate) roots: Option<Roots>,
}

/// `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Disable,
    /// Where the server has it. (libpq's `allow` asks for it second; here as well it is asked for first.)
    Prefer,
    /// Whoever the server is.
    Require,
    /// With a certificate that comes from one of the roots.
    VerifyCa,
    /// The same, and it is for this host.
    VerifyFull,
}

/// A file of certificates in PEM, or `system`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Roots {
    /// The setting that said so.
    pub(crate) setting: &'static str,
    pub(crate) place: String,
}

impl Mode {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "disable" => Self::Disable,
            "allow" | "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl Encryption {
    /// The mode; roots that are the machine's own are of use only if the host is checked too.
    fn mode(&self) -> Mode {
        self.mode.unwrap_or(if self.is_system() { Mode::VerifyFull } else { Mode::Prefer })
    }

    fn is_system(&self) -> bool {
        self.roots.as_ref().is_some_and(|roots| roots.place == SYSTEM)
    }

    /// Whether the server is known by its certificate; with roots, `require` means `verify-ca` as in libpq.
    pub(crate) fn verifies(&self) -> bool {
        match self.mode() {
            Mode::VerifyCa | Mode::VerifyFull => true,
            Mode::Require => self.roots.is_some(),
            Mode::Disable | Mode::Prefer => false,
        }
    }

    /// Whether TLS is asked for, needed, or neither.
    pub(crate) fn ssl_mode(&self) -> SslMode {
        match self.mode() {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }

    /// What makes connections; a sentence about the setting that is wrong otherwise.
    pub(crate) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = match (self.mode(), &self.roots) {
            (Mode::VerifyCa | Mode::VerifyFull, None) => {
                return Err("sslmode=verify-ca and sslmode=verify-full need to know which certificate to trust: name its \
                            file in sslrootcert of DATABASE_URL or in PGSSLROOTCERT, or say system there for those that \
                            this machine trusts"
                    .to_owned());
            }
            (Mode::Prefer | Mode::Require | Mode::VerifyCa, Some(roots)) if roots.place == SYSTEM => {
                return Err(format!(
                    "{}=system trusts every certificate that this machine trusts, which says nothing unless the host is \
                     checked as well: set sslmode=verify-full in DATABASE_URL",
                    roots.setting
                ));
            }
            (Mode::Disable, _) | (_, None) => Verifier::of_anyone(provider.clone()),
            (mode, Some(roots)) => {
                let trusted = roots.load()?;
                Verifier::new(trusted, mode == Mode::VerifyFull, provider.clone())
                    .map_err(|reason| format!("{} cannot be used: {reason}", roots.setting))?
            }
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous() // what is no danger here is said by sslmode
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }
}

impl Roots {
    fn load(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let Self { setting, place } = self;
        if place == SYSTEM {
            let found = rustls_native_certs::load_native_certs();
            return match found.errors.into_iter().next() {
                Some(error) if found.certs.is_empty() => {
                    Err(format!("{setting}=system: {error}; name a file of certificates there"))
                }
                _ => Ok(found.certs),
            };
        }
        let read = CertificateDer::pem_file_iter(Path::new(place)).and_then(Iterator::collect);
        let certificates: Vec<_> = read.map_err(|error| {
            format!("{setting} names {place}, which cannot be read: {error}; put it there, or name another")
        })?;
        if certificates.is_empty() {
            return Err(format!(
                "{setting} names {place}, which holds no certificate in PEM; name the one of the server's authority"
            ));
        }
        Ok(certificates)
    }
}

/// Decides about a server's certificate.
#[derive(Debug)]
struct Verifier {
    /// None if any certificate will do.
    chain: Option<Chain>,
    checks_host: bool,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Chain {
    trusted: Vec<CertificateDer<'static>>,
    of_roots: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    fn of_anyone(provider: Arc<CryptoProvider>) -> Self {
        Self { chain: None, checks_host: false, provider }
    }

    fn new(
        trusted: Vec<CertificateDer<'static>>,
        checks_host: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let of_roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let chain = Chain { trusted, of_roots: of_roots.map_err(|error| error.to_string())? };
        Ok(Self { chain: Some(chain), checks_host, provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // A server's own certificate may be what is trusted. That of `openssl req -x509` says that it is an authority's,
        // which no server's may say in a chain.
        if !chain.trusted.contains(end_entity) {
            let checked =
                chain.of_roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
            match checked {
                // It is looked at last, when all else is right.
                Err(rustls::Error::InvalidCertificate(error)) if is_about_name(&error) => {}
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        if self.checks_host {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn is_about_name(error: &CertificateError) -> bool {
    matches!(error, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
}

/// What is wrong between the server and `sslmode`, and how to put it right; `None` if the error is about something else.
pub(crate) fn explain(error: &tokio_postgres::Error) -> Option<String> {
    if let Some(refused) = error.as_db_error() {
        let is_about_encryption = refused.message().ends_with(", no encryption");
        return is_about_encryption
            .then(|| format!("{}; sslmode=require in DATABASE_URL encrypts", refused.message()));
    }
    let cause = error.source()?;
    if cause.to_string() == "server does not support TLS" {
        let fix = "turn ssl on there, or set sslmode=disable if nobody else is on the way";
        return Some(format!("the server does not encrypt, as sslmode in DATABASE_URL demands; {fix}"));
    }
    let inner = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
    Some(match inner.downcast_ref::<rustls::Error>()? {
        // The signature is bad as well where another authority has the same name.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the server's certificate comes from none of those that sslrootcert in DATABASE_URL, or PGSSLROOTCERT, trusts; \
             name the file of its authority there"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(reason) if is_about_name(reason) => {
            format!(
                "{reason}: give the host in DATABASE_URL the name that the certificate has, or set sslmode=verify-ca"
            )
        }
        error => format!(
            "no encryption as sslmode in DATABASE_URL demands: {error}; see the server's certificate and its TLS versions"
        ),
    })
}
