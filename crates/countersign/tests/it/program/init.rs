//! `init`: an `.env` and the first superuser, in one go or in two, and never in the place of anything.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use super::passwords::{end, type_hidden, type_twice};
use super::{Finished, Installation, PASSWORD};
use crate::cluster::Cluster;

const ADA: [&str; 4] = ["init", "--username", "ada", "--password-stdin"];

impl Installation {
    fn init(&self, more: &[&str]) -> Finished {
        self.run_with_stdin(&[&ADA[..], more].concat(), PASSWORD)
    }

    fn dotenv(&self) -> String {
        std::fs::read_to_string(self.path().join(".env")).expect("an .env")
    }

    /// What the `.env` sets, in its own spelling.
    fn set(&self) -> Vec<String> {
        let text = self.dotenv();
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    }

    fn is_untouched(&self) -> bool {
        self.path().read_dir().expect("a directory").count() == 0
    }
}

fn succeeds(finished: &Finished) {
    assert!(finished.success, "{}", finished.stderr);
}

#[test]
fn one_command_makes_an_env_that_is_sound_and_a_superuser_who_can_log_in() {
    let here = Installation::new();
    let done = here.init(&["--email", "ada@example.com", "--allowed-hosts", "api.example.com,127.0.0.1"]);
    succeeds(&done);
    assert!(done.stdout.contains("     1  ada  ada@example.com superuser staff\n"), "{}", done.stdout);
    let mode = std::fs::metadata(here.path().join(".env")).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let set = here.set();
    let key = set[0].strip_prefix("SECRET_KEY=").expect("a key");
    assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    assert_eq!(
        set[1..],
        ["DEBUG=False", "ALLOWED_HOSTS=api.example.com,127.0.0.1", "DATABASE_URL=sqlite:countersign.sqlite3"]
    );
    assert_eq!(here.say(&["check", "--deploy"]), "No issues.\n");
    let server = here.serve();
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    assert!(!here.path().join("countersign.sqlite3.key").exists(), "the key is in .env");
    let other = Installation::new();
    succeeds(&other.init(&[]));
    assert_ne!(other.set()[0], set[0], "each has a key of its own");
}

#[test]
fn what_is_said_of_a_setting_is_what_it_declares_and_the_rest_has_its_default() {
    let here = Installation::new();
    succeeds(&here.init(&[]));
    let example = include_str!("../../../../../.env.example");
    let parts: Vec<&str> = example.split("\n\n").collect();
    for name in ["BIND", "PORT", "ACCESS_TOKEN_LIFETIME", "ROTATE_REFRESH_TOKENS"] {
        let ends = format!("\n#{name}=");
        let declared = parts.iter().find(|part| part.contains(&ends)).expect("it is in .env.example");
        let declared = declared.rsplit("# ==").next().expect("a part").trim();
        assert!(here.dotenv().contains(declared), "{declared}");
    }
    let shown = here.say_json(&["config"]);
    let is_of_dotenv = |setting: &&Value| setting["origin"] == ".env";
    let names: Vec<&Value> =
        shown["settings"].as_array().expect("a list").iter().filter(is_of_dotenv).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn on_a_terminal_it_asks_and_does_not_show_the_password() {
    let here = Installation::new();
    let mut terminal = here.on_a_terminal(&["init"]);
    let mut shown = String::new();
    for (question, answer) in [
        ("Database [sqlite:countersign.sqlite3]: ", "sqlite:mine.sqlite3"),
        ("Host names that clients use [.localhost,127.0.0.1,[::1]]: ", "https://api.example.com/"),
        ("Host names that clients use [.localhost,127.0.0.1,[::1]]: ", ""),
        ("Username of the superuser: ", "ada"),
        ("E-mail address: ", ""),
        ("Password: ", PASSWORD),
        ("Password (again): ", PASSWORD),
    ] {
        shown += &terminal.exp_string(question).unwrap_or_else(|error| panic!("{question}: {error}"));
        if question.starts_with("Password") {
            type_hidden(&mut terminal, answer);
        } else {
            terminal.send_line(answer).expect("typed");
        }
    }
    let (rest, succeeded) = end(terminal);
    shown += &rest;
    assert!(succeeded && rest.contains("1  ada  - superuser staff"), "{shown}");
    assert!(!shown.contains("correct"), "{shown}");
    assert_eq!(
        here.set()[2..],
        ["ALLOWED_HOSTS=.localhost,127.0.0.1,[::1]", "DATABASE_URL=sqlite:mine.sqlite3"]
    );
    assert_eq!(here.serve().anon().login("ada", PASSWORD).0, 200);
}

#[test]
fn what_is_refused_is_refused_before_anything_is_written() {
    let stdin = "--password-stdin";
    let table: &[(&[&str], &str, &str)] = &[
        (&["--username", "ada", stdin], "12345\n", "password: This password is too short."),
        (
            &["--username", "adalovelace", stdin],
            "adalovelace\n",
            "password: The password is too similar to the username.",
        ),
        (&["--username", "a b", stdin], PASSWORD, "username: Enter a valid username."),
        (&["--username", "", stdin], PASSWORD, "username: This field may not be blank."),
        (
            &["--username", "ada", "--email", "nowhere", stdin],
            PASSWORD,
            "email: Enter a valid email address.",
        ),
        (&[], "", "there is no terminal to ask on; use --username, and --password-stdin or --password-file"),
        (&["--username", "ada"], "", "there is no terminal to ask on; use --username"),
        (&[stdin], PASSWORD, "there is no terminal to ask on; use --username"),
        (
            &["--username", "ada", "--password-file", "missing"],
            "",
            "--password-file: missing cannot be read: ",
        ),
        (
            &["--username", "ada", stdin, "--database-url", "mysql://db/x"],
            PASSWORD,
            "DATABASE_URL: \"mysql\" is not a database",
        ),
        (
            &["--username", "ada", stdin, "--database-url", "sqlite:no/x.sqlite3"],
            PASSWORD,
            "DATABASE_URL: the directory no does not exist",
        ),
        (
            &["--username", "ada", stdin, "--database-url", "postgresql://ada:hunter2@db.invalid/x"],
            PASSWORD,
            "--database-url: others can read a password there",
        ),
        (
            &["--username", "ada", stdin, "--database-url", "postgresql://ada@127.0.0.1:1/x"],
            PASSWORD,
            "the database postgresql://ada@127.0.0.1:1/x cannot be reached",
        ),
        (
            &["--username", "ada", stdin, "--database-url", "sqlite:${HOME}"],
            PASSWORD,
            "DATABASE_URL cannot be written into an .env",
        ),
        (
            &["--username", "ada", stdin, "--allowed-hosts", "${HOME}"],
            PASSWORD,
            "ALLOWED_HOSTS has ${HOME}, which no request can match",
        ),
        (
            &["--username", "ada", stdin, "--allowed-hosts", "a.example,https://b.example,c.example:443"],
            PASSWORD,
            "ALLOWED_HOSTS has https://b.example, c.example:443, which no request can match: requests that are meant to be \
             served are refused. Fix: write a name without scheme, port and path",
        ),
        (&["--username", "ada", stdin, "--allowed-hosts", " "], PASSWORD, "ALLOWED_HOSTS is empty: "),
    ];
    for (arguments, typed, reason) in table {
        let here = Installation::new();
        let refused = here.run_with_stdin(&[&["init"], *arguments].concat(), typed);
        assert!(!refused.success, "{arguments:?}");
        assert!(
            refused.stderr.starts_with(&format!("countersign: {reason}")),
            "{arguments:?}: {}",
            refused.stderr
        );
        assert!(here.is_untouched(), "{arguments:?}");
    }
    let here = Installation::new().with("ACCESS_TOKEN_LIFETIME", "soon");
    assert!(here.init(&[]).stderr.contains("ACCESS_TOKEN_LIFETIME: must be") && here.is_untouched());
}

#[test]
fn an_env_that_is_no_file_is_refused_and_not_waited_for() {
    let here = Installation::new();
    let made = Command::new("mkfifo").arg(here.path().join(".env")).status().expect("coreutils");
    assert!(made.success());
    let refused = here.init(&[]);
    assert_eq!(
        refused.stderr,
        "countersign: .env is there, and is no file; remove it, or run this elsewhere\n"
    );
    assert_eq!(here.path().read_dir().expect("a directory").count(), 1);
}

#[test]
fn two_passwords_that_differ_leave_nothing_behind() {
    let here = Installation::new();
    let mut terminal = here.on_a_terminal(&[
        "init",
        "--username",
        "ada",
        "--email",
        "",
        "--database-url",
        "sqlite:a",
        "--allowed-hosts",
        "*",
    ]);
    for _ in 0..3 {
        type_twice(&mut terminal, PASSWORD, "correct horse batery");
    }
    let (shown, succeeded) = end(terminal);
    assert!(!succeeded && shown.contains("the two passwords differ"), "{shown}");
    assert!(here.is_untouched());
}

#[test]
fn a_password_may_be_in_a_file() {
    let here = Installation::new().with_file("password", &format!("{PASSWORD}\nanother line\n"));
    let made = here.run(&["init", "--username", "ada", "--password-file", "password"]);
    succeeds(&made);
    assert_eq!(here.serve().anon().login("ada", PASSWORD).0, 200);
    assert!(
        !here.run(&["init", "--username", "a", "--password-file", "password", "--password-stdin"]).success
    );
}

#[test]
fn an_env_that_is_there_stays_to_the_byte_and_its_settings_count() {
    let text = "# mine\nSECRET_KEY='0123456789abcdef0123456789abcdef'\nDATABASE_URL=sqlite:mine.sqlite3\n";
    let here = Installation::new().with_file(".env", text);
    let done = here.init(&[]);
    succeeds(&done);
    assert!(done.stdout.starts_with(".env was there, and is as it was.\n"), "{}", done.stdout);
    assert_eq!(here.dotenv(), text);
    assert!(here.path().join("mine.sqlite3").exists());
    let refused = here.init(&["--database-url", "sqlite:other.sqlite3"]);
    assert!(
        refused.stderr.contains("DATABASE_URL is another in .env than --database-url says"),
        "{}",
        refused.stderr
    );
    let nowhere = Installation::new();
    std::os::unix::fs::symlink("nowhere", nowhere.path().join(".env")).expect("a link");
    succeeds(&nowhere.init(&[]));
    assert!(!nowhere.path().join("nowhere").exists(), "a link that leads nowhere is something, too");
}

#[test]
fn it_can_be_run_again_when_all_is_done_and_changes_nothing() {
    let here = Installation::new();
    succeeds(&here.init(&[]));
    let before = here.dotenv();
    let again = here.run_with_stdin(&[&ADA[..], &["--json"]].concat(), "another password 1\n");
    succeeds(&again);
    let said: Value = serde_json::from_str(&again.stdout).expect("one JSON value");
    assert_eq!((&said["written"], &said["superuser_made"]), (&json!(false), &json!(false)), "{said}");
    assert_eq!(here.dotenv(), before);
    let server = here.serve();
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200, "the first password is the password");
    assert_eq!(server.anon().register("bob", PASSWORD).0, 201);
    let refused = here.run_with_stdin(&["init", "--username", "bob", "--password-stdin"], PASSWORD);
    assert_eq!(
        refused.stderr,
        "countersign: username: A user with that username already exists. Choose another username.\n"
    );
}

#[test]
fn on_a_terminal_it_says_what_is_there_before_it_asks_again() {
    let here = Installation::new();
    succeeds(&here.init(&[]));
    let mut terminal = here.on_a_terminal(&["init"]);
    let before = terminal.exp_string("Username of the superuser: ").expect("it asks");
    assert!(before.contains(".env is there, and stays as it is."), "{before}");
    assert!(before.contains("Superusers there: ada. Another name makes another."), "{before}");
    terminal.send_line("ada").expect("typed");
    terminal.exp_string("E-mail address: ").expect("it asks");
    terminal.send_line("").expect("typed");
    let (rest, succeeded) = end(terminal);
    assert!(succeeded && rest.contains("was there, and is as it was"), "{rest}");
}

#[test]
fn what_was_interrupted_goes_on_when_it_is_run_again() {
    let here = Installation::new();
    let program = here.command(&ADA);
    // Files of more than 8 KiB cannot be written: the .env can, the database cannot.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 16; printf 'correct horse battery' | \"$@\"", "sh"]);
    command.arg(program.get_program()).args(program.get_args()).env_clear().current_dir(here.path());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let failed = command.env("PATH", path).output().expect("a shell");
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success(), "the disk is full");
    assert!(
        said.contains(
            ".env is written; put this right and run `countersign init` again: it goes on with the superuser"
        ),
        "{said}"
    );
    let key = here.set()[0].clone();
    let done = here.init(&[]);
    succeeds(&done);
    assert!(done.stdout.contains("The superuser is made"), "{}", done.stdout);
    assert_eq!(here.set()[0], key);
    assert_eq!(here.serve().anon().login("ada", PASSWORD).0, 200);
}

#[test]
fn a_service_that_has_run_before_keeps_its_key_and_its_users_stay_logged_in() {
    let here = Installation::new();
    let server = here.serve();
    assert_eq!(server.anon().register("bob", PASSWORD).0, 201);
    let bob = server.anon().tokens("bob", PASSWORD);
    server.signal("TERM");
    server.wait();
    succeeds(&here.init(&[]));
    assert!(here.set().iter().all(|line| !line.starts_with("SECRET_KEY")), "{:?}", here.set());
    let server = here.serve();
    assert_eq!(server.anon().me(&bob).1["username"], "bob");
    let taken = Installation::new();
    std::fs::copy(here.path().join("countersign.sqlite3"), taken.path().join("countersign.sqlite3"))
        .expect("a copy");
    let refused = taken.init(&[]);
    assert!(
        refused.stderr.contains("has users already, and a new SECRET_KEY would log them out; put theirs"),
        "{}",
        refused.stderr
    );
    assert!(!taken.path().join(".env").exists());
}

#[test]
fn what_the_environment_says_is_written_down_and_what_another_file_says_is_left_there() {
    let key = "it's a key of $100 with # and ' in it, \\ too";
    let here = Installation::new()
        .with("SECRET_KEY", key)
        .with_file("countersign.toml", "ALLOWED_HOSTS = [\"127.0.0.1\"]\n");
    succeeds(&here.init(&[]));
    assert!(
        here.dotenv().contains("ALLOWED_HOSTS is said in ") && here.set().len() == 3,
        "{}",
        here.dotenv()
    );
    let plain = Installation::new().with_file(".env", &here.dotenv()).with("LOG", "error");
    let server = here.serve();
    let ada = server.anon().tokens("ada", PASSWORD);
    server.signal("TERM");
    server.wait();
    std::fs::copy(here.path().join("countersign.sqlite3"), plain.path().join("countersign.sqlite3"))
        .expect("a copy");
    assert_eq!(plain.serve().anon().me(&ada).0, 200, "the key is the same without the environment");
}

#[test]
fn on_postgresql_it_is_the_same() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let here = Installation::new().with("DATABASE_URL", database.url());
    succeeds(&here.init(&[]));
    assert_eq!(database.rows("SELECT username FROM auth_user WHERE is_superuser AND is_staff"), ["ada"]);
    let without = Installation::new().with_file(".env", &here.dotenv());
    assert_eq!(without.serve().anon().login("ada", PASSWORD).0, 200, "the .env is all that is needed");
    succeeds(&without.init(&[]));
    let stranger = Installation::new().with("DATABASE_URL", database.url());
    let refused = stranger.init(&[]);
    assert!(refused.stderr.contains("a new SECRET_KEY would log them out"), "{}", refused.stderr);
    assert!(stranger.is_untouched());
}
