//! The server behind TLS, with certificates made for the test.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use countersign_http::{ForwardedHeader, Limits, Manners, Tls, TrustedProxies};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::Level;

use crate::actors::{ME, World};
use crate::log::Log;
use crate::serve::Server;

const REQUEST: &str = "GET /user/api/me/ HTTP/1.1\r\nHost: auth.example\r\nConnection: close\r\n\r\n";

/// A certificate for `auth.example`, and its key, in files.
struct Files {
    directory: TempDir,
    certificate: CertificateDer<'static>,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, pem, key) = made();
        fs::write(directory.path().join("cert.pem"), pem).unwrap();
        fs::write(directory.path().join("key.pem"), key).unwrap();
        Self { directory, certificate }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn load(&self) -> Arc<Tls> {
        Arc::new(Tls::load(&self.path("cert.pem"), &self.path("key.pem"), 3600).unwrap())
    }

    fn refusal(&self) -> String {
        let refused = Tls::load(&self.path("cert.pem"), &self.path("key.pem"), 0).err().unwrap();
        refused.to_string().replace(self.directory.path().to_str().unwrap(), "DIR")
    }

    /// Exchanges a file, and makes it look later than what it replaces, however fast that went.
    fn exchange(&self, name: &str, content: &str, later_secs: u64) {
        fs::write(self.path(name), content).unwrap();
        let file = fs::File::options().write(true).open(self.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(later_secs)).unwrap();
    }
}

fn made() -> (CertificateDer<'static>, String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["auth.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.der().clone(), certificate.pem(), key.serialize_pem())
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_after(b"", server, trusted, protocols, versions).await
}

/// The same, where a proxy has said something before.
async fn connect_after(
    before: &[u8],
    server: &Server,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(before).await.unwrap();
    let name = ServerName::try_from("auth.example").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn exchange(mut stream: TlsStream<TcpStream>) -> String {
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap(); // an error if the end is not announced
    answer
}

fn manners(tls: &Arc<Tls>) -> Manners {
    Manners { tls: Some(Arc::clone(tls)), ..Manners::default() }
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_browsers_are_told_to_stay_with_it() {
    let (world, files) = (World::new(), Files::new());
    let server = Server::start_with(&world, manners(&files.load())).await;
    for version in [&TLS12, &TLS13] {
        for protocols in [&["http/1.1"][..], &[]] {
            let stream = connect(&server, &files.certificate, protocols, &[version]).await.unwrap();
            let answer = exchange(stream).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            assert!(answer.contains("strict-transport-security: max-age=3600\r\n"), "{answer}");
        }
    }
    let plain = Server::start(&world).await;
    let answer = plain.client().await.get(ME).await.is(401);
    assert_eq!(answer.header("strict-transport-security"), None);
}

#[tokio::test]
async fn who_can_speak_http_2_does() {
    let (world, files) = (World::new(), Files::new());
    let server = Server::start_with(&world, manners(&files.load())).await;
    let stream = connect(&server, &files.certificate, &["h2", "http/1.1"], &[&TLS13]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let mut running = JoinSet::new();
    running.spawn(connection);
    let request = http::Request::get("https://auth.example/user/api/me/").body(()).unwrap();
    let answer = client.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=3600");
}

#[tokio::test]
async fn what_a_proxy_says_of_a_connection_comes_before_tls_and_not_in_it() {
    let files = Files::new();
    let world = World::set(|settings| {
        let proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()], ForwardedHeader::default());
        settings.trusted_proxies = proxies.that_announce(true);
    });
    let server = Server::start_with(&world, manners(&files.load())).await;
    for header in [&b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let behind = async |protocols: &[&str]| {
            connect_after(header, &server, &files.certificate, protocols, &[&TLS13]).await.unwrap()
        };
        assert!(exchange(behind(&["http/1.1"]).await).await.starts_with("HTTP/1.1 401 "));
        assert_eq!(behind(&["h2"]).await.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    }
    assert!(connect(&server, &files.certificate, &[], &[&TLS13]).await.is_err(), "it is not left out");
}

#[tokio::test(start_paused = true)]
async fn files_that_change_are_read_anew_and_a_bad_pair_is_told_and_changes_nothing() {
    let (world, files) = (World::new(), Files::new());
    let tls = files.load();
    let server = Server::start_with(&world, manners(&tls)).await;
    let mut running = JoinSet::new();
    running.spawn(async move { match tls.keep_current().await {} });
    let shows = async |certificate| connect(&server, certificate, &[], &[&TLS13]).await.is_ok();
    let (next, pem, key) = made();
    assert!(shows(&files.certificate).await && !shows(&next).await);
    let log = Log::listen();
    for (broken, stamp, told) in [
        (pem.as_str(), 1_000, "TLS_KEY_FILE: the key in "), // whose key is not there yet
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            2_000,
            "TLS_CERT_FILE, TLS_KEY_FILE: ",
        ),
        ("", 3_000, "TLS_CERT_FILE: "),
    ] {
        let before = log.texts(Level::ERROR).len();
        files.exchange("cert.pem", broken, stamp);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(shows(&files.certificate).await && !shows(&next).await, "{told}");
        let said = log.texts(Level::ERROR).split_off(before);
        assert_eq!(said.len(), 1, "once, not every second: {said:?}");
        assert!(
            said[0].contains("the certificate stays that of before") && said[0].contains(told),
            "{said:?}"
        );
    }
    files.exchange("cert.pem", &pem, 4_000);
    files.exchange("key.pem", &key, 1_000);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!shows(&files.certificate).await && shows(&next).await);
}

#[tokio::test(start_paused = true)]
async fn files_that_could_not_be_used_are_tried_again_though_they_look_the_same() {
    let (world, files) = (World::new(), Files::new());
    let tls = files.load();
    let server = Server::start_with(&world, manners(&tls)).await;
    let mut running = JoinSet::new();
    running.spawn(async move { match tls.keep_current().await {} });
    tokio::time::sleep(Duration::from_secs(1)).await; // by then it has looked
    let (next, pem, key) = made();
    files.exchange("key.pem", "nothing", 1_000);
    files.exchange("cert.pem", &pem, 1_000);
    tokio::time::sleep(Duration::from_secs(5)).await;
    files.exchange("key.pem", &key, 1_000);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(connect(&server, &next, &[], &[&TLS13]).await.is_ok());
}

#[tokio::test]
async fn files_are_read_anew_at_once_when_asked_for() {
    let (world, files) = (World::new(), Files::new());
    let tls = files.load();
    let server = Server::start_with(&world, manners(&tls)).await;
    let (next, pem, key) = made();
    files.exchange("cert.pem", &pem, 1_000);
    assert!(tls.reload().unwrap_err().to_string().starts_with("TLS_KEY_FILE: the key in "));
    assert!(connect(&server, &files.certificate, &[], &[&TLS13]).await.is_ok());
    files.exchange("key.pem", &key, 1_000);
    tls.reload().unwrap();
    assert!(connect(&server, &next, &[], &[&TLS13]).await.is_ok());
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_with_the_setting_the_file_and_the_fix() {
    let files = Files::new();
    let (_, _, other_key) = made();
    let encrypted = other_key.replace(" PRIVATE KEY", " ENCRYPTED PRIVATE KEY");
    let good = fs::read_to_string(files.path("key.pem")).unwrap();
    for (key, refusal) in [
        (
            other_key.as_str(),
            "TLS_KEY_FILE: the key in DIR/key.pem is not that of the first certificate in DIR/cert.pem",
        ),
        (&encrypted, "TLS_KEY_FILE: DIR/key.pem is encrypted"),
        ("nothing", "TLS_KEY_FILE: DIR/key.pem holds no private key in PEM"),
    ] {
        fs::write(files.path("key.pem"), key).unwrap();
        assert!(files.refusal().starts_with(refusal), "{}", files.refusal());
    }
    fs::write(files.path("cert.pem"), &good).unwrap();
    assert!(files.refusal().starts_with("TLS_CERT_FILE: DIR/cert.pem holds no certificate in PEM"));
    fs::remove_file(files.path("cert.pem")).unwrap();
    assert!(files.refusal().starts_with("TLS_CERT_FILE: DIR/cert.pem cannot be read: No such file"));
}

#[test]
fn the_end_of_a_certificate_is_known_even_of_one_that_has_ended_or_is_an_authority() {
    for is_authority in [false, true] {
        let files = Files::new();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["auth.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2001, 9, 9);
        if is_authority {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        fs::write(files.path("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(files.path("key.pem"), key.serialize_pem()).unwrap();
        assert_eq!(files.load().ends_at(), Some(999_993_600), "date -ud 2001-09-09 +%s");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_shake_hands_holds_up_nobody_and_is_let_go() {
    let (world, files) = (World::new(), Files::new());
    let server = Server::start_with(&world, manners(&files.load())).await;
    let begun = Instant::now();
    let mut slow = server.client().await;
    slow.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc").await; // the beginning of a greeting
    let mut silent = server.client().await;
    let stream = connect(&server, &files.certificate, &[], &[&TLS13]).await.unwrap();
    assert!(exchange(stream).await.starts_with("HTTP/1.1 401 "));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(slow.is_let_go().await);
    assert_eq!(begun.elapsed().as_secs(), Limits::default().handshake.as_secs());
    assert!(silent.is_let_go().await);
    assert_eq!(begun.elapsed().as_secs(), Limits::default().head.as_secs());
}

#[tokio::test]
async fn who_does_not_encrypt_is_let_go_and_the_next_one_is_served() {
    let (world, files) = (World::new(), Files::new());
    let server = Server::start_with(&world, manners(&files.load())).await;
    let mut plain = server.client().await;
    plain.send(REQUEST).await;
    let mut said = Vec::new();
    let _ = plain.stream.read_to_end(&mut said).await; // an alert at the most, or a reset
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    let stream = connect(&server, &files.certificate, &[], &[&TLS13]).await.unwrap();
    assert!(exchange(stream).await.starts_with("HTTP/1.1 401 "));
}
