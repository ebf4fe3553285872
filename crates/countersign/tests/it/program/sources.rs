//! Where settings come from: `.env`, the environment, files.

use super::{Installation, PASSWORD, until};

const ORIGINAL: &str = "SECRET_KEY=your_secret_key\nDEBUG=True\nALLOWED_HOSTS=*\n";

#[test]
fn the_env_file_of_the_original_works_and_warns_of_its_key() {
    let here = Installation::new().with_file(".env", ORIGINAL);
    let server = here.serve();
    assert!(server.greeting.contains("secret key  SECRET_KEY, as configured"), "{}", server.greeting);
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    until(|| here.log().contains("SECRET_KEY is a placeholder"));
    assert_eq!(here.log().matches("SECRET_KEY is a placeholder").count(), 1, "{}", here.log());
    assert!(!here.path().join("countersign.sqlite3.key").exists(), "no key is made beside a configured one");
    assert!(here.say(&["check"]).contains("SECRET_KEY is a placeholder"));
}

#[test]
fn the_same_file_without_debug_refuses_and_says_what_to_do() {
    let here = Installation::new().with_file(".env", &ORIGINAL.replace("True", "False"));
    let sentence = here.refusal(&[]);
    assert!(sentence.starts_with("SECRET_KEY: it is a placeholder"), "{sentence}");
    assert!(sentence.contains("openssl rand -hex 32"), "{sentence}");
    assert!(!sentence.contains("your_secret_key"), "the key itself is not shown: {sentence}");
    assert_eq!(here.path().read_dir().expect("a directory").count(), 1, "nothing was made");
}

#[test]
fn a_short_key_is_refused_as_a_placeholder_is() {
    let key = "0123456789012345678901234567890";
    let sentence = Installation::new().with("SECRET_KEY", key).refusal(&["check"]);
    assert!(sentence.starts_with("SECRET_KEY: it has 31 bytes, and needs at least 32"), "{sentence}");
    Installation::new().with("SECRET_KEY", format!("{key}x")).say(&["check"]);
    Installation::new().with("SECRET_KEY", key).with("ALLOW_WEAK_SECRET_KEY", "on").say(&["check"]);
}

#[test]
fn a_signing_key_of_its_own_must_be_as_strong() {
    let here = Installation::new().with("SIGNING_KEY", "your_secret_key");
    let sentence = here.refusal(&["check"]);
    assert!(sentence.starts_with("SIGNING_KEY: it is a placeholder"), "{sentence}");
    assert!(here.with("DEBUG", "True").say(&["check"]).contains("SIGNING_KEY is a placeholder"));
}

#[test]
fn the_environment_beats_the_env_file() {
    let here = Installation::new()
        .with_file(".env", "DATABASE_URL=sqlite:from-file.sqlite3\n")
        .with("DATABASE_URL", "sqlite:from-environment.sqlite3");
    assert_eq!(here.say(&["migrate"]), "sqlite:from-environment.sqlite3 is up to date.\n");
    assert!(!here.path().join("from-file.sqlite3").exists());
}

#[test]
fn addr_beats_bind_and_port() {
    let here = Installation::new().with("BIND", "192.0.2.1").with("PORT", "1");
    assert!(here.serve_with(&["--addr", "127.0.0.1:0"]).address.starts_with("127.0.0.1:"));
    assert!(here.serve_with(&["serve", "--addr", "127.0.0.1:0"]).address.starts_with("127.0.0.1:"));
    assert!(here.serve_with(&["--addr", "127.0.0.1:0", "serve"]).address.starts_with("127.0.0.1:"));
    let sentence = here.refusal(&["--addr", "127.0.0.1:0", "migrate"]);
    assert!(sentence.contains("--addr"), "{sentence}");
}

#[test]
fn port_and_bind_say_where_to_listen() {
    let here = Installation::new().with("BIND", "127.0.0.2").with("PORT", "0");
    let server = here.serve_with(&[]);
    assert!(server.address.starts_with("127.0.0.2:"), "{}", server.address);
}

#[test]
fn an_unknown_name_in_the_env_file_is_refused_with_the_nearest_known_one() {
    for (line, nearest) in
        [("SECRET_KYE=x", "SECRET_KEY"), ("DATABASE_ULR=x", "DATABASE_URL"), ("DEBUGG=1", "DEBUG")]
    {
        let sentence = Installation::new().with_file(".env", line).refusal(&["check"]);
        let name = line.split('=').next().expect("a name");
        assert!(sentence.contains(name), "{sentence}");
        assert!(sentence.contains(&format!("did you mean {nearest}?")), "{sentence}");
    }
    let sentence = Installation::new().with_file(".env", "SENTRY_DSN=x").refusal(&["check"]);
    assert!(sentence.contains("SENTRY_DSN") && !sentence.contains("did you mean"), "{sentence}");
}

#[test]
fn a_line_of_the_env_file_that_cannot_be_read_is_named() {
    let sentence = Installation::new().with_file(".env", "DEBUG=True\nALLOWED HOSTS=*\n").refusal(&["check"]);
    assert!(
        sentence.ends_with(".env: line 2 is not of the form NAME=value; correct it, or put a # before it"),
        "{sentence}"
    );
}

#[test]
fn a_word_alone_in_the_env_file_is_refused_and_not_shown_unless_it_is_a_setting() {
    let sentence = Installation::new().with_file(".env", "DEBUG=False\nhunter2hunter2\n").refusal(&["check"]);
    assert!(sentence.contains(".env: line 2 is not of the form NAME=value"), "{sentence}");
    assert!(!sentence.contains("hunter2"), "it may be a key: {sentence}");
    for key in [
        "c2VjcmV0aHVudGVyMnNlY3JldGh1bnRlcjI=",
        "hunter2+hunter2/hunter2==",
        "JBSWYHUNTER2DPEHPK3PXP====",
        "hunter2=x",
    ] {
        let sentence =
            Installation::new().with_file(".env", &format!("DEBUG=False\n{key}\n")).refusal(&["check"]);
        assert!(sentence.contains(".env: line 2 is not of the form NAME=value"), "{sentence}");
        assert!(!sentence.contains(key.trim_end_matches('=')) && !sentence.contains("hunter2"), "{sentence}");
    }
    let here = Installation::new().with_file(".env", "SECRET_KEY\nDEBUG\n");
    assert_eq!(here.say(&["check"]), "No issues.\n", "python-dotenv takes them for names without values");
}

#[test]
fn an_address_that_is_empty_is_not_set() {
    let server = Installation::new().with("BIND", "").with("PORT", "0").serve_with(&[]);
    assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
}

#[test]
fn secrets_can_stand_in_files() {
    let key = "0123456789abcdef0123456789abcdef";
    let by_value = Installation::new().with("SECRET_KEY", key);
    let ada = {
        let server = by_value.serve();
        assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
        server.anon().tokens("ada", PASSWORD)
    };
    for file in ["secret.txt", "./secret.txt"] {
        let database = format!("sqlite:{}", by_value.path().join("countersign.sqlite3").display());
        let by_file = Installation::new()
            .with_file("secret.txt", &format!("{key}\n"))
            .with("DATABASE_URL", database)
            .with("SECRET_KEY_FILE", file);
        assert_eq!(by_file.serve().anon().me(&ada).0, 200, "the line end is no part of the key");
    }
    let from_dotenv =
        Installation::new().with_file("secret.txt", "short").with_file(".env", "SECRET_KEY_FILE=secret.txt");
    assert!(from_dotenv.refusal(&["check"]).contains("SECRET_KEY: it has 5 bytes"));
}

#[test]
fn settings_in_bytes_that_are_no_text_are_refused_and_not_overlooked() {
    use std::os::unix::ffi::OsStrExt;
    let here = Installation::new();
    let mut command = here.command(&["check"]);
    let output = command.env("SECRET_KEY", std::ffi::OsStr::from_bytes(b"\xff")).output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("SECRET_KEY"), "{stderr}");
}

#[test]
fn a_key_file_of_the_environment_beats_a_key_in_the_env_file() {
    let here = Installation::new().with_file(".env", "SECRET_KEY=your_secret_key\n");
    std::fs::write(here.path().join("key"), "k".repeat(40)).expect("a file");
    let mut command = here.command(&["check"]);
    let output = command.env("SECRET_KEY_FILE", "key").output().expect("the command ends");
    assert!(output.status.success(), "the tutorial's key would be refused: {output:?}");
    let mut command = here.command(&["check"]);
    let output = command.env("SECRET_KEY_FILE", "key").env("SECRET_KEY", "k".repeat(40)).output();
    let said = String::from_utf8(output.expect("the command ends").stderr).expect("UTF-8");
    assert!(said.contains("SECRET_KEY and SECRET_KEY_FILE are both set in the environment"), "{said}");
}

#[test]
fn all_unknown_names_of_the_env_file_are_named_at_once() {
    let sentence = Installation::new().with_file(".env", "DB_NAME=a\nDB_USER=b\n").refusal(&["check"]);
    assert!(sentence.contains("DB_NAME") && sentence.contains("DB_USER"), "{sentence}");
}

#[test]
fn the_file_of_a_secret_that_is_empty_is_not_set() {
    let here = Installation::new().with("SECRET_KEY_FILE", "").with("DATABASE_URL_FILE", "");
    assert_eq!(here.say(&["check"]), "No issues.\n");
    let here = here.with_file(".env", "SECRET_KEY_FILE=\nSECRET_KEY=0123456789abcdef0123456789abcdef\n");
    assert_eq!(here.say(&["check"]), "No issues.\n");
}
