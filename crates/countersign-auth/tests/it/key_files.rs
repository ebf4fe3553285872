//! A ring of files: read, obeyed, and never written.

use std::path::PathBuf;

use countersign_auth::{ConfiguredKeys, KeyRingError};
use countersign_token::{Algorithm, SigningKey};
use tempfile::TempDir;

use crate::service::{SECRET_KEY, Service, refusal, rules, with_sessions};

/// A directory with key files, and a service that goes by them.
struct Files {
    directory: TempDir,
    service: Service,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), service: Service::start(rules()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn with_key(self, name: &str, algorithm: Algorithm) -> Self {
        let pem = SigningKey::generate_pem(algorithm).unwrap();
        self.with(name, &pem)
    }

    fn with(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn keys(&self) -> ConfiguredKeys {
        let keys = ConfiguredKeys::new(with_sessions(0), SECRET_KEY).unwrap();
        keys.in_directory(self.directory.path().to_owned())
    }

    fn start(&self) -> Service {
        self.service.try_beside(self.keys()).unwrap()
    }

    fn refusal(&self) -> String {
        let refused = refusal(self.service.try_beside(self.keys()));
        assert_eq!(refusal(self.keys().private_key_files()), refused, "settings alone tell as much");
        refused
    }
}

async fn states(service: &Service) -> Vec<(String, &'static str)> {
    let keys = service.auth.key_ring().list().await.unwrap().into_iter();
    keys.map(|key| (key.algorithm, key.state.name())).collect()
}

#[tokio::test]
async fn keys_are_told_by_type_and_curve_and_used_as_the_names_say() {
    let files = Files::new()
        .with_key("a.next.pem", Algorithm::ES384)
        .with_key("b.signing.pem", Algorithm::EdDSA)
        .with_key("c.verifying.pem", Algorithm::RS256)
        .with_key("d.verifying.pem", Algorithm::ES256)
        .with_key("e.verifying.pem", Algorithm::ES512)
        .with_key("f.verifying.pem", Algorithm::ES256K)
        .with("README", "keys of the service")
        .with(".hidden.pem", "not looked at");
    let ada = files.service.welcome("ada").await;
    let service = files.start();
    ada.at(&service).whoami().await.expect("the configured key verifies");
    let expected = [
        ("HS256", "verifying"),
        ("ES384", "next"),
        ("EdDSA", "signing"),
        ("RS256", "verifying"),
        ("ES256", "verifying"),
        ("ES512", "verifying"),
        ("ES256K", "verifying"),
    ];
    assert_eq!(states(&service).await, expected.map(|(algorithm, state)| (algorithm.to_owned(), state)));
    assert_eq!(service.auth.key_set().json.matches("\"kid\"").count(), 6);
    let grace = service.welcome("grace").await;
    grace.whoami().await.unwrap();
    assert!(grace.at(&files.service).whoami().await.is_err(), "signed by the file, not by SECRET_KEY");
}

#[tokio::test]
async fn renamed_files_rotate_and_nobody_is_logged_out() {
    let files =
        Files::new().with_key("old.signing.pem", Algorithm::ES256).with_key("new.next.pem", Algorithm::EdDSA);
    let service = files.start();
    let ada = service.welcome("ada").await;
    files.rename("new.next.pem", "new.signing.pem");
    let half = refusal(service.auth.reload_keys().await);
    assert!(half.contains("new.signing.pem and old.signing.pem both sign"), "{half}");
    ada.whoami().await.expect("half a rotation changes nothing");
    files.rename("old.signing.pem", "old.verifying.pem");
    assert!(service.auth.reload_keys().await.unwrap());
    ada.whoami().await.unwrap();
    let grace = service.welcome("grace").await;
    std::fs::remove_file(files.path("old.verifying.pem")).unwrap();
    assert!(service.auth.reload_keys().await.unwrap());
    assert!(ada.whoami().await.is_err());
    grace.whoami().await.unwrap();
}

#[tokio::test]
async fn an_empty_file_retires_the_configured_key() {
    let files = Files::new().with("configured.retired", "");
    assert!(files.refusal().contains("no NAME.signing.pem to sign instead; add one"));
    let files = files.with_key("a.signing.pem", Algorithm::EdDSA);
    let ada = files.service.welcome("ada").await;
    let service = files.start();
    assert!(ada.at(&service).whoami().await.is_err());
    assert_eq!(states(&service).await[0], ("HS256".to_owned(), "retired"));
}

#[tokio::test]
async fn the_files_are_not_changed_from_here() {
    let files = Files::new().with_key("a.signing.pem", Algorithm::EdDSA);
    let service = files.start();
    let ring = service.auth.key_ring();
    assert!(matches!(ring.generate(Algorithm::EdDSA, false).await, Err(KeyRingError::ReadOnly)));
    assert!(matches!(ring.rotate(true).await, Err(KeyRingError::ReadOnly)));
    assert!(matches!(ring.retire("configured", true).await, Err(KeyRingError::ReadOnly)));
    assert_eq!(ring.reseal().await.unwrap(), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_stops_the_start_by_its_name_with_the_fix() {
    let public = "-----BEGIN PUBLIC KEY-----\n\
                  MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                  -----END PUBLIC KEY-----\n";
    Files::new().with("a.verifying.pem", public).start();
    for (name, text, reason) in [
        ("a.signing.pem", public, "signing needs a private key"),
        ("a.next.pem", public, "signing needs a private key"),
        ("a.verifying.pem", "", "not an unbroken PEM text"),
        ("a.verifying.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "CERTIFICATE"),
        ("a.verifying.pem", "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----", "damaged"),
        ("a.pem", public, "does not say what the key is for; call it a.next.pem, a.signing.pem or"),
        ("signing.pem", public, "does not say what the key is for"),
    ] {
        let refused = Files::new().with(name, text).refusal();
        assert!(refused.starts_with(&format!("SIGNING_KEYS_DIR: {name}")), "{refused}");
        assert!(refused.contains(reason), "{name}: {refused}");
    }
    let missing = Files::new();
    std::fs::remove_dir(missing.directory.path()).unwrap();
    assert!(missing.refusal().contains("cannot be read"));
}

#[tokio::test]
async fn a_key_that_is_configured_and_in_a_file_is_published_once() {
    let pem = SigningKey::generate_pem(Algorithm::EdDSA).unwrap();
    let files = Files::new().with("a.signing.pem", &pem).with("b.verifying.pem", &pem);
    let keys = files.keys().signed_by(Algorithm::EdDSA, pem.as_bytes(), b"").unwrap();
    let service = files.service.try_beside(keys).unwrap();
    assert_eq!(service.auth.key_set().json.matches("\"kid\"").count(), 1);
    service.welcome("ada").await.whoami().await.unwrap();
}

#[tokio::test]
async fn files_that_are_lost_while_they_sign_do_not_make_the_configured_key_sign() {
    let files = Files::new().with_key("a.signing.pem", Algorithm::EdDSA);
    let service = files.start();
    let ada = service.welcome("ada").await;
    std::fs::remove_file(files.path("a.signing.pem")).unwrap();
    let refused = refusal(service.auth.reload_keys().await);
    assert!(refused.contains("no NAME.signing.pem is there any more"), "{refused}");
    ada.whoami().await.expect("the key is still in use");
    assert!(files.keys().is_directory_without_signing_key());
}
