//! `check --deploy`: what is found before real users come, and what a CI makes of it.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{Installation, until};
use crate::cluster::Cluster;

const STRONG_KEY: &str = "0123456789abcdef0123456789abcdef";

impl Installation {
    /// The findings by their ids, without the common part.
    fn found(&self) -> Vec<String> {
        let checked = self.say_json(&["check", "--deploy"]);
        let findings = checked.get("findings").and_then(Value::as_array).expect("a list");
        for finding in findings {
            for part in ["what", "why", "fix", "level"] {
                let text = finding.get(part).and_then(Value::as_str);
                assert!(text.is_some_and(|text| !text.is_empty()), "{part}: {finding}");
            }
        }
        let id = |finding: &Value| {
            finding.get("id").and_then(Value::as_str).expect("an id").replace("countersign.", "")
        };
        findings.iter().map(id).collect()
    }

    fn make_private(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path().join(name), permissions).expect("it is ours");
    }
}

#[test]
fn a_sound_configuration_is_clean_with_the_defaults_and_with_a_rotation() {
    assert_eq!(Installation::new().say(&["check", "--deploy"]), "No issues.\n");
    let here = Installation::new();
    drop(here.serve());
    assert_eq!(here.found(), [""; 0], "with its database and its key");
    let here = Installation::new()
        .with("SECRET_KEY", STRONG_KEY)
        .with("ALLOWED_HOSTS", "api.example.com")
        .with("REFRESH_TOKEN_LIFETIME", "60d")
        .with("ROTATE_REFRESH_TOKENS", "True")
        .with("BLACKLIST_AFTER_ROTATION", "True");
    assert_eq!(here.found(), [""; 0]);
}

#[test]
fn each_dangerous_setting_is_found_by_an_id_of_its_own() {
    let table: &[(&str, &[(&'static str, &str)])] = &[
        ("W010", &[("DEBUG", "True")]),
        ("W011", &[("ALLOWED_HOSTS", "a.example, *")]),
        ("W012", &[("BIND", "0.0.0.0"), ("ALLOWED_HOSTS", "a.example")]),
        ("W018", &[("SECRET_KEY", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]),
        ("W018", &[("SECRET_KEY", "changemechangemechangemechangemechangem")]),
        ("W045", &[("AUTH_PASSWORD_VALIDATORS", "MinimumLengthValidator:7")]),
        ("W045", &[("AUTH_PASSWORD_VALIDATORS", "CommonPasswordValidator")]),
        ("W014", &[("ALLOW_WEAK_SECRET_KEY", "on")]),
        ("W015", &[("METRICS_BIND", "0.0.0.0:9464")]),
        ("W015", &[("METRICS_BIND", "[::]:9464")]),
        ("W020", &[("ACCESS_TOKEN_LIFETIME", "2h")]),
        (
            "W021",
            &[
                ("REFRESH_TOKEN_LIFETIME", "100d"),
                ("ROTATE_REFRESH_TOKENS", "True"),
                ("BLACKLIST_AFTER_ROTATION", "True"),
            ],
        ),
        ("W022", &[("REFRESH_TOKEN_LIFETIME", "30d")]),
        ("W023", &[("REFRESH_TOKEN_LIFETIME", "60")]),
        ("W024", &[("LEEWAY", "600")]),
        ("W030", &[("ROTATE_REFRESH_TOKENS", "True")]),
        ("W031", &[("SESSION_CLAIM", "")]),
        ("W032", &[("CHECK_USER_IS_ACTIVE", "False")]),
        ("W033", &[("AUDIENCE", "shop,forum")]),
        ("W070", &[("CORS_ALLOW_ALL_ORIGINS", "True"), ("CORS_ALLOW_CREDENTIALS", "True")]),
        ("W040", &[("ARGON2_MEMORY_KIB", "1024")]),
        ("W041", &[("PASSWORD_HASHER", "pbkdf2_sha1")]),
        ("W042", &[("LEGACY_PASSWORD_HASHERS", "bcrypt,md5")]),
        ("W043", &[("AUTH_PASSWORD_VALIDATORS", "[]")]),
        ("W044", &[("THROTTLE", "off")]),
        ("W060", &[("EMAIL_HOST", "192.0.2.1"), ("DEFAULT_FROM_EMAIL", "noreply@example.com")]),
        ("W061", &[("EMAIL_HOST", "::1"), ("DEFAULT_FROM_EMAIL", "webmaster@localhost")]),
    ];
    for (id, settings) in table {
        let here = settings.iter().fold(Installation::new(), |here, (name, value)| here.with(name, *value));
        let findings = here.run(&["check", "--deploy", "--fail-level", "CRITICAL", "--json"]);
        let findings: Value = serde_json::from_str(&findings.stdout).expect("one JSON value");
        let ids: Vec<_> =
            findings["findings"].as_array().expect("a list").iter().map(|found| &found["id"]).collect();
        assert_eq!(ids, [&format!("countersign.{id}")], "{settings:?}");
        assert!(here.run(&["check"]).stdout.ends_with("No issues.\n"), "{id} is for deployments");
    }
    let owasp = [("ARGON2_MEMORY_KIB", "9216"), ("ARGON2_ITERATIONS", "4")];
    let here = owasp.into_iter().fold(Installation::new(), |here, (name, value)| here.with(name, value));
    assert_eq!(here.found(), [""; 0], "another of OWASP's");
}

#[test]
fn names_that_a_request_can_match_are_no_finding() {
    let here =
        Installation::new().with("ALLOWED_HOSTS", "API.example.com, .example.org,[::1],localhost,127.0.0.1");
    assert_eq!(here.found(), [""; 0]);
    assert_eq!(Installation::new().with("SECRET_KEY", "changeme".repeat(2) + STRONG_KEY).found(), [""; 0]);
}

#[test]
fn a_database_that_has_lost_its_key_is_an_error_with_and_without_deploy() {
    let here = Installation::new();
    drop(here.serve());
    std::fs::remove_file(here.path().join("countersign.sqlite3.key")).expect("it is ours");
    let checked = here.run(&["check"]);
    assert!(
        !checked.success && checked.stdout.contains("its key countersign.sqlite3.key is not"),
        "{}",
        checked.stdout
    );
    assert!(checked.stdout.contains("countersign.E003"), "{}", checked.stdout);
    assert!(!here.path().join("countersign.sqlite3.key").exists(), "a look makes none");
    let here = here.with("SECRET_KEY", STRONG_KEY);
    assert_eq!(here.found(), [""; 0]);
}

#[test]
fn a_lost_key_is_not_covered_up_by_a_new_one() {
    let here = Installation::new().with_file("people.json", "[]");
    drop(here.serve());
    std::fs::remove_file(here.path().join("countersign.sqlite3.key")).expect("it is ours");
    let wanted = here.refusal(&["user", "list"]);
    assert!(wanted.contains("countersign.sqlite3.key is not beside its database; restore it"), "{wanted}");
    for command in [
        &["createsuperuser", "root", "--password-stdin"][..],
        &["user", "create", "ada", "--password-stdin"],
        &["migrate"],
        &["import", "people.json"],
    ] {
        assert_eq!(here.refusal(command), wanted, "{command:?}");
        assert!(!here.path().join("countersign.sqlite3.key").exists(), "{command:?} made one");
    }
    assert!(
        here.serve().greeting.contains("countersign.sqlite3.key (made now)"),
        "a start warns, and serves"
    );
    until(|| here.log().contains("its key was not"));
}

#[test]
fn a_next_key_that_was_sealed_under_another_secret_is_an_error_with_and_without_deploy() {
    let here = Installation::new().with("SECRET_KEY", STRONG_KEY);
    here.say(&["migrate"]);
    here.say(&["keys", "generate"]);
    assert_eq!(here.found(), [""; 0]);
    let here = here.with("SECRET_KEY", STRONG_KEY.replace('0', "x"));
    let checked = here.run(&["check", "--json"]);
    assert!(!checked.success && checked.stdout.contains("countersign.E004"), "{}", checked.stdout);
}

#[test]
fn a_verifying_key_that_verifies_nothing_is_found() {
    assert_eq!(Installation::new().with("VERIFYING_KEY", "abc").found(), ["W004"]);
}

#[test]
fn who_listens_to_everybody_and_names_no_host_is_told_of_both() {
    assert_eq!(Installation::new().with("BIND", "0.0.0.0").found(), ["W013", "W012"]);
}

#[test]
fn a_directory_of_keys_in_which_none_signs_is_found_with_and_without_deploy() {
    let here = Installation::new().with("SIGNING_KEYS_DIR", ".");
    assert_eq!(here.found(), ["W005"]);
    assert!(here.say(&["check"]).contains("SIGNING_KEYS_DIR holds no NAME.signing.pem"));
}

#[test]
fn an_id_that_no_finding_has_cannot_be_silenced() {
    let here = Installation::new();
    for id in ["countersign.W999", "W010", "countersign."] {
        let refused = here.run(&["check", "--silence", id]);
        assert!(
            !refused.success && refused.stderr.contains("no finding has this id"),
            "{id}: {}",
            refused.stderr
        );
    }
    let known = include_str!("../../../src/check/finding.rs").split('"').filter(|part| part.len() == 4);
    let documented = include_str!("../../../../../docs/operating.md");
    for id in known.filter(|part| part.starts_with(['W', 'E'])) {
        let part =
            |within: &str| documented.lines().any(|line| line.starts_with("| ") && line.contains(within));
        let number: u32 = id[1..].parse().expect("a number");
        let in_range = [("W020 to W024", 20..=24), ("W040 to W045", 40..=45)];
        let is_there = part(id)
            || in_range
                .iter()
                .any(|(words, range)| part(words) && id.starts_with('W') && range.contains(&number));
        assert!(is_there, "{id} is not in docs/operating.md");
        assert!(here.run(&["check", "--silence", &format!("countersign.{id}")]).success, "{id}");
    }
}

#[test]
fn the_status_is_1_from_the_level_on_that_is_asked_for() {
    let here = Installation::new().with("DEBUG", "True").with("SECRET_KEY", STRONG_KEY);
    let succeeds = |arguments: &[&str]| here.run(&[&["check", "--deploy"], arguments].concat()).success;
    assert!(succeeds(&[]), "a warning is no error, as in Django");
    assert!(!succeeds(&["--fail-level", "WARNING"]));
    assert!(!succeeds(&["--fail-level", "info"]));
    assert!(succeeds(&["--fail-level", "WARNING", "--silence", "countersign.W010"]));
    let refused = here.run(&["check", "--deploy", "--fail-level", "WARNING"]);
    assert!(
        refused.stdout.contains("WARNING   DEBUG is on: ") && refused.stdout.contains("(countersign.W010)")
    );
    assert_eq!(refused.stderr, "", "it is all said");
    let here = here.with("DEBUG", "False").with("ALLOWED_HOSTS", "");
    assert!(!here.run(&["check", "--deploy"]).success, "an error fails by default");
}

#[test]
fn files_that_others_can_read_are_found() {
    let here = Installation::new()
        .with_file(".env", &format!("SECRET_KEY={STRONG_KEY}\n"))
        .with_file("countersign.toml", "PORT = 8001\n");
    here.say(&["migrate"]);
    here.make_private(".env", 0o644);
    here.make_private("countersign.toml", 0o644);
    here.make_private("countersign.sqlite3", 0o644);
    assert_eq!(here.found(), ["W002", "W051"], "in the TOML file there is no secret");
    here.make_private(".env", 0o600);
    here.make_private("countersign.sqlite3", 0o600);
    assert_eq!(here.found(), [""; 0]);
    let here = Installation::new().with_file("key", STRONG_KEY).with("SECRET_KEY_FILE", "key");
    here.make_private("key", 0o640);
    assert_eq!(here.found(), ["W002"], "a file of its own, which the group can read");
}

#[test]
fn a_server_elsewhere_that_is_not_verified_is_found_and_one_that_is_here_is_not() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let here = database.url().replace("localhost", "127.0.0.1");
    // That it is far is in its name; that it answers all the same is for this test.
    let far = here.replace("127.0.0.1", "db.invalid");
    let far = format!("{far}{}hostaddr=127.0.0.1", if far.contains('?') { '&' } else { '?' });
    let found =
        |url: &str| Installation::new().with("DATABASE_URL", url).with("SECRET_KEY", STRONG_KEY).found();
    assert!(!found(&here).contains(&"W053".to_owned()));
    assert!(found(&far).contains(&"W053".to_owned()));
    assert!(found(&format!("{far}&sslmode=disable")).contains(&"W053".to_owned()));
}

#[test]
fn a_name_is_what_makes_a_server_one_of_elsewhere() {
    for (host, is_found) in [
        ("db.invalid/x", true),
        ("db.invalid/x?sslmode=require", true),
        ("db.invalid/x?sslmode=verify-full&sslrootcert=system", false),
        ("127.0.0.1/x", false),
        ("localhost/x", false),
        ("%2Frun%2Fpostgresql/x", false),
    ] {
        let url: countersign_store::DatabaseUrl = format!("postgresql://ada@{host}").parse().expect("an URL");
        let countersign_store::DatabaseUrl::Postgres(server) = url else { panic!("it is of PostgreSQL") };
        assert_eq!(server.is_remote_and_unverified(), is_found, "{host}");
    }
    let away = "postgresql://ada@db.invalid/x?sslmode=verify-full&sslrootcert=system";
    let here = Installation::new().with("DATABASE_URL", away).with("SECRET_KEY", STRONG_KEY);
    let refused = here.refusal(&["check", "--deploy"]);
    assert!(
        refused.starts_with("the database postgresql://ada@db.invalid")
            && refused.contains("cannot be reached: "),
        "{refused}"
    );
}
