//! `check` and `config`: what neither of them may pass over, as the start would not.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use super::{Finished, Installation, says_what_to_do};

const STRONG_KEY: &str = "0123456789abcdef0123456789abcdef";

impl Installation {
    /// Runs a subcommand as somebody whom the modes of files bind, which they do not root.
    fn run_bound(&self, arguments: &[&str]) -> Finished {
        let program = env!("CARGO_BIN_EXE_countersign");
        let is_root = std::fs::metadata(self.path()).expect("a directory").uid() == 0;
        let mut command = if is_root {
            let mut without = Command::new("/usr/bin/setpriv");
            without.args(["--bounding-set=-all", "--inh-caps=-all", program]);
            without
        } else {
            Command::new(program)
        };
        command.args(arguments).env_clear().envs(self.environment.clone()).current_dir(self.path());
        let output = command.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Finished {
            success: output.status.success(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn forbid(&self, name: &str) {
        let nobody = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(self.path().join(name), nobody).expect("it is ours");
    }
}

#[test]
fn a_database_that_may_not_be_opened_is_not_called_damaged() {
    for files in [&["countersign.sqlite3-shm", "countersign.sqlite3-wal"][..], &["countersign.sqlite3"]] {
        let here = Installation::new().with("SECRET_KEY", STRONG_KEY);
        let _server = here.serve(); // has the two beside it
        assert!(here.run_bound(&["check"]).success, "before that");
        for file in files {
            here.forbid(file);
        }
        let refused = here.run_bound(&["check"]);
        let sentence = refused.stderr;
        assert!(!refused.success && sentence.contains("cannot be opened"), "{files:?}: {sentence}");
        assert!(sentence.contains("run this as the user that owns it"), "{files:?}: {sentence}");
        assert!(!sentence.contains("damaged") && !sentence.contains(".recover"), "{files:?}: {sentence}");
    }
}

#[test]
fn config_fails_with_what_a_start_would_say() {
    for settings in [
        &[("LOG", "wran")][..],
        &[("LOG", "countersign=wran")],
        &[("TLS_CERT_FILE", "/missing.pem"), ("TLS_KEY_FILE", "/missing.key")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector")],
        &[("OTEL_TRACES_SAMPLER", "sometimes")],
        &[("AUTH_USER_TABLE", "accounts_user")],
    ] {
        let here = settings.iter().fold(Installation::new(), |here, (name, value)| here.with(name, *value));
        let shown = here.run(&["config"]);
        assert!(!shown.success && shown.stdout.contains("PORT=8000"), "{settings:?}");
        assert_eq!(shown.stderr, format!("countersign: {}\n", here.refusal(&["serve"])), "{settings:?}");
        assert_eq!(shown.stderr, format!("countersign: {}\n", here.refusal(&["check"])), "{settings:?}");
    }
}

#[test]
fn config_does_not_show_a_password_that_stands_in_an_address() {
    let here = Installation::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ada:hunter2@127.0.0.1:4318");
    let shown = here.run(&["config"]);
    assert!(!shown.success && shown.stdout.contains("OTEL_EXPORTER_OTLP_ENDPOINT=********"));
    assert!(!shown.stdout.contains("hunter2") && !shown.stderr.contains("hunter2"), "{}", shown.stderr);
}

#[test]
fn an_address_that_is_none_or_that_two_would_have_is_found_with_and_without_deploy() {
    for (id, settings) in [
        ("E006", &[("BIND", "no-such-host.invalid")][..]),
        ("E006", &[("BIND", "192.0.2.1")]),
        ("E006", &[("METRICS_BIND", "192.0.2.1:9464")]),
        ("E007", &[("METRICS_BIND", "127.0.0.1:8000")]),
        ("E007", &[("METRICS_BIND", "localhost:8000")]),
        ("E007", &[("METRICS_BIND", "0.0.0.0:9464"), ("PORT", "9464")]),
        ("E007", &[("METRICS_BIND", "[::]:8000")]),
    ] {
        let here = settings.iter().fold(Installation::new(), |here, (name, value)| here.with(name, *value));
        let found = here.run(&["check"]);
        assert!(
            !found.success && found.stdout.contains(&format!("countersign.{id}")),
            "{settings:?}: {}",
            found.stdout
        );
        assert!(says_what_to_do(&found.stdout), "{}", found.stdout);
    }
    let apart = Installation::new().with("METRICS_BIND", "127.0.0.1:9464").with("BIND", "localhost");
    assert_eq!(apart.say(&["check"]), "No issues.\n");
}

#[test]
fn names_of_traces_that_do_not_count_are_told() {
    let here = Installation::new().with("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b");
    let said = here.say(&["check"]);
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_TRACES_HEADERS is in the environment") && said.contains("W007"),
        "{said}"
    );
}
