//! The first run, with nothing configured, and the second.

use std::os::unix::fs::PermissionsExt;

use super::{Installation, PASSWORD};

#[test]
fn a_first_run_with_nothing_configured_says_what_it_made_and_what_to_type_next() {
    let here = Installation::new();
    let server = here.serve();
    let lines: Vec<&str> = server.greeting.lines().collect();
    assert!(lines[0].ends_with(&format!("listens on http://{}", server.address)), "{lines:?}");
    assert_eq!(lines[1], "  database    countersign.sqlite3 (made now)");
    assert_eq!(lines[2], "  secret key  countersign.sqlite3.key (made now)");
    assert!(lines[4].contains(&format!("curl http://{}/user/api/register/", server.address)), "{lines:?}");
    assert!(lines.len() <= 8, "a few calm lines: {lines:?}");
    assert_eq!(here.log(), "", "nothing to warn of");
    for file in ["countersign.sqlite3.key", "countersign.sqlite3"] {
        let mode = std::fs::metadata(here.path().join(file)).expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file} is its owner's alone");
    }
}

#[test]
fn what_the_greeting_proposes_to_type_works() {
    let named = |hosts: &str| Installation::new().with("ALLOWED_HOSTS", hosts);
    for here in [Installation::new(), named("api.example.com,b.example"), named(".example.com"), named("*")] {
        let server = here.serve();
        let lines: Vec<&str> = server.greeting.lines().collect();
        let proposed = lines[4..6].join("\n");
        let shell = std::process::Command::new("sh").args(["-c", &proposed]).output().expect("a shell");
        assert_eq!(
            String::from_utf8_lossy(&shell.stdout),
            r#"{"id":1,"username":"testuser","email":"test@example.com"}"#,
            "{proposed}"
        );
    }
}

#[test]
fn tokens_and_users_of_the_first_run_are_good_in_the_second() {
    let here = Installation::new();
    let server = here.serve();
    let anon = server.anon();
    assert_eq!(anon.register("ada", PASSWORD).0, 201);
    let ada = anon.tokens("ada", PASSWORD);
    server.signal("TERM");
    assert!(server.wait().1);
    let key = std::fs::read(here.path().join("countersign.sqlite3.key")).expect("a key");

    let server = here.serve();
    assert!(server.greeting.contains("database    countersign.sqlite3\n"), "{}", server.greeting);
    assert!(server.greeting.contains("secret key  countersign.sqlite3.key\n"), "{}", server.greeting);
    assert_eq!(server.anon().me(&ada).1["username"], "ada");
    assert_eq!(server.anon().refresh(&ada), 200);
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    assert_eq!(std::fs::read(here.path().join("countersign.sqlite3.key")).expect("a key"), key);
}

#[test]
fn a_key_file_that_was_cut_short_stops_the_start() {
    let here = Installation::new().with_file("countersign.sqlite3.key", "abc\n");
    let sentence = here.refusal(&["check"]);
    assert!(sentence.contains("countersign.sqlite3.key") && sentence.contains("at least 32"), "{sentence}");
}

#[test]
fn several_first_runs_at_once_agree_on_one_key() {
    let here = Installation::new();
    let runs = [(); 3].map(|()| here.migrate_in_background());
    let runs = runs.map(|child| child.wait_with_output().expect("it ends"));
    assert!(runs.iter().all(|output| output.status.success()), "{runs:?}");
    let files: Vec<_> = std::fs::read_dir(here.path()).expect("a directory").flatten().collect();
    let keys = files.iter().filter(|file| file.file_name().to_string_lossy().contains("key")).count();
    assert_eq!(keys, 1, "no half-made key is left: {files:?}");
}

impl Installation {
    fn migrate_in_background(&self) -> std::process::Child {
        let mut command = self.command(&["migrate"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        command.spawn().expect("the binary runs")
    }
}

#[test]
fn what_a_crash_left_of_a_key_does_not_keep_the_next_start_from_making_one() {
    let here = Installation::new();
    for left_behind in ["countersign.sqlite3.key.tmp", "countersign.sqlite3.key.1"] {
        std::fs::write(here.path().join(left_behind), "").expect("a file");
    }
    assert!(here.serve().greeting.contains("secret key  countersign.sqlite3.key (made now)"));
}

#[test]
fn a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let here = Installation::new();
    here.say(&["migrate"]);
    let key = here.path().join("countersign.sqlite3.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("the mode can be set");
    assert!(here.say(&["check"]).contains("can be read by others (mode 644)"));
}

#[test]
fn a_refused_start_leaves_nothing_behind() {
    let here = Installation::new().with_file(".env", "ACCESS_TOKEN_LIFETIME=soon\n");
    here.refusal(&["serve"]);
    assert_eq!(here.path().read_dir().expect("a directory").count(), 1, ".env alone");
}
