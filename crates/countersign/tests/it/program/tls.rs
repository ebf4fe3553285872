//! HTTPS by the program itself: asked by curl, which knows the certificate; renewed under way, checked, and refused.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};

use super::{Installation, Server, until};

impl Installation {
    fn encrypted() -> Self {
        let here = Self::new().with("TLS_CERT_FILE", "cert.pem").with("TLS_KEY_FILE", "key.pem");
        let here = here.with("ALLOWED_HOSTS", "auth.example");
        here.certify("cert.pem", "key.pem", 4_000_000_000);
        here
    }

    /// Makes a certificate that ends at that second.
    fn certify(&self, certificate: &str, key: &str, ends_at: u64) {
        let pair = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::new(["auth.example".to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(ends_at);
        let made = params.self_signed(&pair).expect("a certificate");
        std::fs::write(self.path().join(certificate), made.pem()).expect("it is ours");
        std::fs::write(self.path().join(key), pair.serialize_pem()).expect("it is ours");
        self.allow(key, 0o600);
    }

    fn allow(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path().join(name), permissions).expect("it is ours");
    }

    /// The head of an answer to curl, if it trusts the server by this certificate.
    fn curl(&self, server: &Server, trusted: &str, options: &[&str]) -> Option<String> {
        let port = server.address.rsplit(':').next().expect("a port");
        let resolve = format!("auth.example:{port}:127.0.0.1");
        let url = format!("https://auth.example:{port}/user/api/me/");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-D", "-", "-o", "/dev/null", "--resolve", &resolve, "--cacert", trusted, &url]);
        let asked = curl.args(options).current_dir(self.path()).output().expect("curl is installed");
        asked.status.success().then(|| String::from_utf8(asked.stdout).expect("UTF-8").to_lowercase())
    }

    fn findings(&self) -> Vec<String> {
        let found = self.run(&["check", "--deploy", "--json", "--fail-level", "CRITICAL"]).stdout;
        let found: serde_json::Value = serde_json::from_str(&found).expect("one JSON value");
        let ids = found.get("findings").and_then(serde_json::Value::as_array).expect("a list").iter();
        let id = |finding: &serde_json::Value| {
            finding.get("id")?.as_str()?.strip_prefix("countersign.").map(str::to_owned)
        };
        ids.map(|finding| id(finding).expect("an id")).collect()
    }
}

#[test]
fn curl_is_answered_by_http_1_1_and_2_and_a_healthcheck_too() {
    let here = Installation::encrypted().with("SECURE_HSTS_SECONDS", "86400");
    let server = here.serve();
    assert!(server.greeting.contains("listens on https://127.0.0.1:"), "{}", server.greeting);
    let old = here.curl(&server, "cert.pem", &["--http1.1"]).expect("an answer");
    assert!(old.starts_with("http/1.1 401 "), "{old}");
    let new = here.curl(&server, "cert.pem", &["--http2"]).expect("an answer");
    assert!(new.starts_with("http/2 401 "), "{new}");
    for answer in [old, new] {
        assert!(answer.contains("strict-transport-security: max-age=86400\r\n"), "{answer}");
    }
    let port = server.address.rsplit(':').next().expect("a port").to_owned();
    let here = here.with("PORT", port);
    assert!(here.say(&["healthcheck"]).ends_with(" is healthy.\n"));
    drop(server);
    assert!(here.refusal(&["healthcheck"]).contains("TLS_CERT_FILE"));
}

#[test]
fn a_renewed_certificate_is_used_by_itself_or_at_sighup_and_a_bad_one_is_told_and_is_not() {
    let here = Installation::encrypted();
    let server = here.serve();
    here.certify("next.pem", "next-key.pem", 4_000_000_000);
    assert!(here.curl(&server, "next.pem", &[]).is_none());
    std::fs::copy(here.path().join("cert.pem"), here.path().join("first.pem")).expect("it is ours");
    std::fs::rename(here.path().join("next.pem"), here.path().join("cert.pem")).expect("it is ours");
    server.signal("HUP"); // its key is not there yet
    until(|| here.log().contains("TLS_KEY_FILE: the key in key.pem is not that of the first certificate"));
    assert!(here.curl(&server, "first.pem", &[]).is_some());
    std::fs::rename(here.path().join("next-key.pem"), here.path().join("key.pem")).expect("it is ours");
    server.signal("HUP");
    until(|| here.curl(&server, "cert.pem", &[]).is_some());
    here.certify("cert.pem", "key.pem", 4_000_000_000);
    until(|| here.curl(&server, "cert.pem", &[]).is_some()); // seen without a signal
}

#[test]
fn files_that_cannot_be_used_are_refused_by_who_serves_and_who_checks() {
    let half = Installation::new().with("TLS_CERT_FILE", "cert.pem");
    assert!(half.refusal(&["check"]).starts_with("TLS_KEY_FILE: is not set, and TLS_CERT_FILE is; "));
    let half = Installation::new().with("TLS_KEY_FILE", "key.pem");
    assert!(half.refusal(&["serve"]).starts_with("TLS_CERT_FILE: is not set, and TLS_KEY_FILE is; "));
    let here = Installation::encrypted();
    std::fs::remove_file(here.path().join("key.pem")).expect("it is ours");
    for command in ["check", "serve"] {
        assert!(here.refusal(&[command]).starts_with("TLS_KEY_FILE: key.pem cannot be read: "), "{command}");
    }
    here.say(&["migrate"]); // needs no certificate
}

#[test]
fn what_is_dangerous_about_a_certificate_is_found() {
    let here = Installation::encrypted().with("BIND", "0.0.0.0");
    assert_eq!(here.findings(), [""; 0], "no plain HTTP, W012");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("later than 1970").as_secs();
    let days = |days: i64| now.saturating_add_signed(days * 86_400);
    here.certify("cert.pem", "key.pem", days(13));
    assert_eq!(here.findings(), ["W016"]);
    here.certify("cert.pem", "key.pem", days(-1));
    assert_eq!(here.findings(), ["E002"]);
    here.certify("cert.pem", "key.pem", days(16));
    assert_eq!(here.findings(), [""; 0]);
    here.allow("key.pem", 0o640);
    assert_eq!(here.findings(), ["W002"]);
}

#[test]
fn plain_http_that_others_reach_is_warned_of_at_the_start() {
    let is_warned = |here: Installation, address: &str| {
        let server = here.serve_with(&["--addr", address]);
        server.signal("TERM");
        assert!(server.wait().1); // then all of the log is written
        here.log().contains("countersign.W012")
    };
    assert!(is_warned(Installation::new(), "0.0.0.0:0"));
    assert!(!is_warned(Installation::new(), "127.0.0.1:0"));
    assert!(!is_warned(Installation::new().with("DEBUG", "True"), "0.0.0.0:0"));
    assert!(!is_warned(Installation::new().with("TRUSTED_PROXIES", "10.0.0.0/8"), "0.0.0.0:0"));
    assert!(!is_warned(Installation::encrypted(), "0.0.0.0:0"));
}
