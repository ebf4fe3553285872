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
    assert_eq!(lines[2], "  secret key  countersign.key (made now)");
    assert!(lines[4].contains(&format!("curl http://{}/user/api/register/", server.address)), "{lines:?}");
    assert!(lines.len() <= 8, "a few calm lines: {lines:?}");
    assert_eq!(here.log(), "", "nothing to warn of");
    for file in ["countersign.key", "countersign.sqlite3"] {
        let mode = std::fs::metadata(here.path().join(file)).expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file} is its owner's alone");
    }
}

#[test]
fn what_the_greeting_proposes_to_type_works() {
    let here = Installation::new();
    let server = here.serve();
    let lines: Vec<&str> = server.greeting.lines().collect();
    let proposed = lines[4..6].join("\n");
    let shell = std::process::Command::new("sh").args(["-c", &proposed]).output().expect("a shell");
    assert_eq!(
        String::from_utf8_lossy(&shell.stdout),
        r#"{"id":1,"username":"testuser","email":"test@example.com"}"#
    );
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
    let key = std::fs::read(here.path().join("countersign.key")).expect("a key");

    let server = here.serve();
    assert!(server.greeting.contains("database    countersign.sqlite3\n"), "{}", server.greeting);
    assert!(server.greeting.contains("secret key  countersign.key\n"), "{}", server.greeting);
    assert_eq!(server.anon().me(&ada).1["username"], "ada");
    assert_eq!(server.anon().refresh(&ada), 200);
    assert_eq!(server.anon().login("ada", PASSWORD).0, 200);
    assert_eq!(std::fs::read(here.path().join("countersign.key")).expect("a key"), key);
}

#[test]
fn a_key_file_that_was_cut_short_stops_the_start() {
    let here = Installation::new().with_file("countersign.key", "abc\n");
    let sentence = here.refusal(&["check"]);
    assert!(sentence.contains("countersign.key") && sentence.contains("at least 32"), "{sentence}");
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
