//! `demo`: what it prints can be pasted, it meets nobody's accounts, and it leaves nothing behind.

use std::process::Command;

use super::{Installation, Server, until};

impl Installation {
    /// A demo whose files are here, in an environment that is full of settings of somebody's own.
    fn demo(&self, arguments: &[&str]) -> Server {
        let server = self.serve_with(&[&["demo"], arguments].concat());
        assert!(server.address.starts_with("127.0.0.1:"), "for this machine alone: {}", server.greeting);
        server
    }

    fn for_demos() -> Self {
        let here = Self::new();
        std::fs::create_dir(here.path().join("tmp")).expect("the directory is writable");
        let tmp = here.path().join("tmp").display().to_string();
        here.with("TMPDIR", tmp).with("DATABASE_URL", "sqlite:mine.sqlite3").with("SECRET_KEY", "mine")
    }

    fn left(&self, name: &str) -> usize {
        self.path().join(name).read_dir().expect("a directory").count()
    }
}

/// The requests, each with what stands above it.
fn requests(greeting: &str) -> Vec<(&str, &str)> {
    let (_, requests) = greeting.split_once("Requests to try").expect("requests");
    let lines: Vec<&str> = requests.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    let whats = lines.iter().copied().step_by(2);
    let typed = lines.iter().skip(1).step_by(2);
    whats.zip(typed.map(|line| line.strip_prefix("  ").expect("a request is indented"))).collect()
}

#[test]
fn the_requests_that_are_printed_work_when_they_are_pasted() {
    let here = Installation::for_demos();
    let server = here.demo(&[]);
    let requests = requests(&server.greeting);
    let lines: Vec<&str> = requests.iter().flat_map(|(_, line)| [*line, "echo '<end>'"]).collect();
    let script = lines.join("\n");
    let bash = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    let said = String::from_utf8(bash.stdout).expect("UTF-8");
    assert_eq!(String::from_utf8_lossy(&bash.stderr), "");
    let answers: Vec<&str> = said.split("<end>\n").collect();
    for (of, begins) in [
        ("Make an account:", r#"{"id":5,"username":"testuser","email":"test@example.com"}"#),
        ("Log in:", r#"{"refresh":"ey"#),
        ("Keep the two tokens:", ""),
        ("Call a protected endpoint:", r#"{"id":1,"username":"ada","email":"ada@example.com"}"#),
        ("Get a new access token:", r#"{"access":"ey"#),
        ("See where ada is logged in:", r#"[{"id":""#),
        (
            "Ask as a proxy does who lets only staff through, which ada is not:",
            r#"{"detail":"You do not have permission to perform this action."}"#,
        ),
        ("Log out, which ends both tokens:", "{}"),
        (
            "Be refused, as an inactive user is:",
            r#"{"detail":"No active account found with the given credentials"#,
        ),
    ] {
        let at =
            requests.iter().position(|(what, _)| *what == of).unwrap_or_else(|| panic!("{of} is printed"));
        assert!(answers[at].starts_with(begins), "{of} {}", answers[at]);
    }
    assert_eq!(requests.len(), 9, "each is in the table above");
}

#[test]
fn each_user_who_is_named_is_there_with_the_password_that_is_named() {
    let here = Installation::for_demos();
    let server = here.demo(&[]);
    let (_, users) = server.greeting.split_once("each with the password ").expect("users");
    let (password, users) = users.split_once(":\n").expect("a list");
    let names: Vec<&str> = users.lines().take_while(|line| line.starts_with("  ")).collect();
    assert_eq!(names.len(), 4);
    for line in names {
        let name = line.trim().split(',').next().expect("a name");
        let expected = if line.contains("inactive") { 401 } else { 200 };
        assert_eq!(server.anon().login(name, password).0, expected, "{line}");
        if line.contains("staff") {
            let grace = server.anon().tokens(name, password);
            let verify = format!(
                "curl -s -o /dev/null -w '%{{http_code}}' 'http://{}/auth/verify?staff&superuser' -H 'Authorization: Bearer {}'",
                server.address, grace.access
            );
            let answer = Command::new("sh").args(["-c", &verify]).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&answer.stdout), "200");
        }
    }
}

#[test]
fn nothing_is_left_however_it_is_asked_to_end() {
    for signal in ["INT", "TERM", "HUP"] {
        let here = Installation::for_demos();
        let server = here.demo(&[]);
        assert_eq!(here.left("tmp"), 1, "it is in a directory of its own");
        assert_eq!(server.anon().register("mallory", "correct horse battery").0, 201);
        server.signal(signal);
        let (_, succeeded) = server.wait();
        assert!(succeeded, "{signal}: {}", here.log());
        assert_eq!(here.left("tmp"), 0, "{signal}");
        assert_eq!(here.left("."), 2, "{signal}: tmp and the log, and nothing of a database");
    }
}

#[test]
fn who_is_impatient_leaves_nothing_either() {
    let here = Installation::for_demos();
    let mut command = here.command(&["demo"]);
    let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("the binary runs");
    until(|| {
        here.path().join("tmp").read_dir().expect("a directory").flatten().any(|made| {
            made.path().join("countersign.sqlite3").exists() // the server is coming up, and users are being made
        })
    });
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    assert!(child.wait().expect("it ends").success());
    assert_eq!(here.left("tmp"), 0);
}

#[test]
fn the_port_is_the_one_that_is_told_and_a_taken_one_is_refused() {
    let here = Installation::for_demos();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let refusal = here.refusal(&["demo", "--port", &port]);
    assert!(refusal.starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")), "{refusal}");
    assert!(refusal.ends_with("choose another --port, or leave it out for a free one"), "{refusal}");
    assert_eq!(here.left("tmp"), 0);
    drop(taken);
    assert!(here.demo(&["--port", &port]).address.ends_with(&port));
}
