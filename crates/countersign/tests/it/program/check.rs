//! `check` and `config`: what neither of them may pass over, as the start would not.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use super::{Finished, Installation, says_what_to_do, until};

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
fn hosts_that_serve_nobody_are_found_with_and_without_deploy_and_told_at_the_start() {
    for (id, hosts) in [
        ("E001", ""),
        ("E001", " , "),
        ("W017", "https://api.example.com/"),
        ("W017", "api.example.com:8000, b.example"),
        ("W017", "*.example.com"),
        ("W017", "::1"),
    ] {
        let here = Installation::new().with("ALLOWED_HOSTS", hosts);
        for arguments in [&["check"][..], &["check", "--deploy"]] {
            let found = here.run(arguments);
            assert_eq!(
                found.stdout.matches(&format!("countersign.{id}")).count(),
                1,
                "{hosts:?}: {}",
                found.stdout
            );
            assert_eq!(found.success, id != "E001", "{hosts:?}");
        }
        let server = here.serve();
        until(|| here.log().contains(&format!("countersign.{id}")));
        let named = if hosts.ends_with(", b.example") { Some("Host: b.example'") } else { None };
        let said = server.greeting.split_once("-H 'Host").map(|(_, rest)| rest);
        assert_eq!(said.is_some(), named.is_some(), "{hosts:?}: {}", server.greeting);
        assert!(named.is_none_or(|named| server.greeting.contains(named)), "{}", server.greeting);
    }
    let tried_out = Installation::new().with("ALLOWED_HOSTS", "").with("DEBUG", "True");
    assert!(!tried_out.say(&["check"]).contains("ALLOWED_HOSTS"), "this machine is served");
}

#[test]
fn a_directory_in_which_no_database_can_be_made_is_found_and_named() {
    for here in [Installation::new(), Installation::new().with("SECRET_KEY", STRONG_KEY)] {
        std::fs::set_permissions(here.path(), std::fs::Permissions::from_mode(0o555)).expect("it is ours");
        let directory = here.path().canonicalize().expect("it is there");
        let wanted =
            format!("nothing can be made in the directory {}: permission denied", directory.display());
        let found = here.run_bound(&["check"]);
        assert!(!found.success && found.stdout.contains(&wanted), "{}{}", found.stdout, found.stderr);
        assert!(found.stdout.contains("countersign.E008"), "{}", found.stdout);
        let refused = here.run_bound(&["serve"]).stderr;
        assert!(refused.contains(&format!("{wanted}; let this user write there")), "{refused}");
        std::fs::set_permissions(here.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        assert_eq!(here.path().read_dir().expect("a directory").count(), 0, "nothing is left");
        assert_eq!(here.run_bound(&["check"]).stdout, "No issues.\n");
        assert_eq!(here.path().read_dir().expect("a directory").count(), 0, "a look leaves nothing");
    }
}

#[test]
fn config_prints_the_rest_beside_a_name_that_nobody_knows() {
    let here = Installation::new().with_file(".env", "DEBUGG=1\nPORT=8001\n");
    let shown = here.run(&["config"]);
    assert!(!shown.success && shown.stdout.contains("PORT=8001  # .env"), "{}", shown.stdout);
    assert_eq!(shown.stderr, format!("countersign: {}\n", here.refusal(&["check"])));
}

#[test]
fn config_shows_how_a_database_is_reached_and_nothing_else_of_the_query() {
    let url =
        "postgresql://ada:hunter2@db.example:5432/x?sslmode=verify-full&password=hunter2&sslrootcert=/ca.pem";
    let here = Installation::new().with("DATABASE_URL", url).with("SECRET_KEY", STRONG_KEY);
    let shown = here.say(&["config"]);
    assert!(shown.contains("db.example:5432/x?sslmode=verify-full&sslrootcert=/ca.pem  #"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_file_of_settings_that_is_no_text_is_told_as_what_it_is() {
    for (name, environment) in [(".env", None), ("countersign.toml", None), ("key", Some("SECRET_KEY_FILE"))]
    {
        let here =
            environment.map_or_else(Installation::new, |variable| Installation::new().with(variable, name));
        let path = here.path().join(name);
        std::fs::write(&path, [b'A', b'=', 0xff, b'\n']).expect("it is ours");
        assert!(here.refusal(&["check"]).contains("; write it in UTF-8"), "{name}");
        std::fs::remove_file(&path).expect("it is ours");
        std::fs::create_dir(&path).expect("it is ours");
        assert!(here.refusal(&["check"]).contains("; put a file in its place"), "{name}");
    }
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
