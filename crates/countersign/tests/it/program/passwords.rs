//! How the command line takes a new password: typed twice without echo on a terminal, or on standard input.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use super::{Installation, PASSWORD, until};

/// Only a program that hangs waits as long as this.
const TIMEOUT_MS: u64 = 60_000;

impl Installation {
    /// Starts a subcommand on a terminal of its own that echoes what is typed, as terminals do.
    pub fn on_a_terminal(&self, arguments: &[&str]) -> PtySession {
        self.on_a_terminal_with(arguments, "")
    }

    /// The same, where the shell lets something go elsewhere.
    pub fn on_a_terminal_with(&self, arguments: &[&str], redirection: &str) -> PtySession {
        let program = self.command(arguments);
        let mut command = Command::new("sh");
        command.args([
            "-c",
            &"stty echo; printf 'type: '; read typed; \"$@\" REDIRECTION; echo status $? \\
             $(stty -a | tr -s ' ;' '\\n' | grep -xe echo -e -echo)"
                .replace("REDIRECTION", redirection),
            "sh",
        ]);
        command.arg(program.get_program()).args(program.get_args()).current_dir(self.path());
        let path = std::env::var_os("PATH").unwrap_or_default(); // for stty
        command.env_clear().env("PATH", path).envs(self.environment.clone());
        let mut terminal = spawn_command(command, Some(TIMEOUT_MS)).expect("a terminal");
        terminal.exp_string("type: ").expect("the shell asks");
        terminal.send_line("this is echoed").expect("typed");
        terminal.exp_string("this is echoed").expect("the terminal echoes");
        terminal
    }
}

/// Types a line once the terminal does not echo any more, which is a moment after it was asked for.
pub fn type_hidden(terminal: &mut PtySession, line: &str) {
    until(|| {
        let terminal = terminal.process().get_file_handle().expect("it is open");
        let settings = Command::new("stty").arg("-a").stdin(terminal).output().expect("coreutils").stdout;
        String::from_utf8_lossy(&settings).contains(" -echo ")
    });
    terminal.send_line(line).expect("typed");
}

/// Everything that the terminal still shows, and whether the command succeeded. However it ended, what is typed is shown again.
pub fn end(mut terminal: PtySession) -> (String, bool) {
    let shown = terminal.exp_string("status ").expect("the command ends");
    let status = terminal.exp_eof().expect("the shell ends");
    let (status, echo) = status.trim().split_once(' ').expect("the status, and the terminal's");
    assert_eq!(echo, "echo", "{shown}");
    (shown, status == "0")
}

#[test]
fn a_password_is_typed_twice_and_never_shown() {
    let here = Installation::new();
    let mut terminal = here.on_a_terminal(&["user", "create", "ada"]);
    let mut shown = terminal.exp_string("Password: ").expect("it asks");
    type_hidden(&mut terminal, PASSWORD);
    shown += &terminal.exp_string("Password (again): ").expect("it asks again");
    type_hidden(&mut terminal, PASSWORD);
    let (rest, succeeded) = end(terminal);
    shown += &rest;
    assert!(succeeded && shown.contains("1  ada  -"), "{shown}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("correct"), "{shown}");
    assert_eq!(here.serve().anon().login("ada", PASSWORD).0, 200);
}

#[test]
fn two_passwords_that_differ_are_refused() {
    let here = Installation::new();
    let mut terminal = here.on_a_terminal(&["createsuperuser", "ada"]);
    for _ in 0..3 {
        type_twice(&mut terminal, PASSWORD, "correct horse batery");
    }
    let (shown, succeeded) = end(terminal);
    assert!(!succeeded && shown.contains("countersign: the two passwords differ"), "{shown}");
    assert_eq!(here.path().read_dir().expect("a directory").count(), 0, "nothing is made");
}

/// Types two passwords, as they are asked for.
pub fn type_twice(terminal: &mut PtySession, first: &str, second: &str) {
    terminal.exp_string("Password: ").expect("it asks");
    terminal.send_line(first).expect("typed");
    terminal.exp_string("Password (again): ").expect("it asks again");
    terminal.send_line(second).expect("typed");
}

#[test]
fn a_password_that_will_not_do_is_asked_for_again() {
    let here = Installation::new();
    let mut terminal = here.on_a_terminal(&["createsuperuser", "ada"]);
    type_twice(&mut terminal, "12345", "12345");
    terminal.exp_string("This password is entirely numeric.").expect("it says why");
    type_twice(&mut terminal, PASSWORD, "correct horse batery");
    terminal.exp_string("the two passwords differ").expect("it says why");
    type_twice(&mut terminal, PASSWORD, PASSWORD);
    assert!(end(terminal).1);
    let mut terminal = here.on_a_terminal(&["changepassword", "ada"]);
    for _ in 0..3 {
        type_twice(&mut terminal, "password", "password");
    }
    let (shown, succeeded) = end(terminal);
    assert!(!succeeded && shown.contains("countersign: password: This password is too common."), "{shown}");
    assert_eq!(here.serve().anon().login("ada", PASSWORD).0, 200);
}

#[test]
fn after_ctrl_c_at_a_prompt_the_terminal_echoes_again_and_nothing_is_made() {
    let here = Installation::new();
    for again in [false, true] {
        let mut terminal = here.on_a_terminal(&["createsuperuser", "ada"]);
        terminal.exp_string("Password: ").expect("it asks");
        if again {
            terminal.send_line(PASSWORD).expect("typed");
            terminal.exp_string("Password (again): ").expect("it asks again");
        }
        terminal.send_control('c').expect("typed");
        let (shown, succeeded) = end(terminal); // which looks at the echo
        assert!(!succeeded && shown.contains("interrupted, and nothing is changed"), "{shown}");
    }
    assert_eq!(here.path().read_dir().expect("a directory").count(), 0, "nothing is made");
}

#[test]
fn a_name_that_cannot_be_had_is_refused_before_anybody_types_a_password() {
    let here = Installation::new();
    let made = here.run_with_stdin(&["user", "create", "ada", "--password-stdin"], PASSWORD);
    assert!(made.success, "{}", made.stderr);
    for (name, reason) in
        [("ada", "A user with that username already exists."), ("a b", "Enter a valid username.")]
    {
        let (shown, succeeded) = end(here.on_a_terminal(&["createsuperuser", name]));
        assert!(!succeeded && shown.contains(reason), "{shown}");
        assert!(!shown.contains("Password"), "{shown}");
    }
}

#[test]
fn without_a_terminal_it_says_how_else_to_give_the_password() {
    let sentence = Installation::new().refusal(&["user", "create", "ada"]);
    assert_eq!(
        sentence,
        "there is no terminal to ask for the password; use --password-stdin or --password-file"
    );
}

#[test]
fn of_standard_input_the_first_line_is_the_password() {
    let here = Installation::new();
    for (name, stdin) in
        [("ada", "line one 1\nline two 2\n"), ("bob", "line one 1\r\n"), ("eve", "line one 1")]
    {
        let made = here.run_with_stdin(&["user", "create", name, "--password-stdin"], stdin);
        assert!(made.success, "{}", made.stderr);
    }
    let server = here.serve();
    let logins = ["ada", "bob", "eve"].map(|name| server.anon().login(name, "line one 1").0);
    assert_eq!(logins, [200, 200, 200]);
}

#[test]
fn weak_passwords_are_refused_in_djangos_sentences() {
    let here = Installation::new();
    let table = [
        ("\n", "password: This field may not be blank."),
        (
            "12345\n",
            "password: This password is too short. It must contain at least 8 characters. \
             This password is too common. This password is entirely numeric.",
        ),
        ("adalovelace\n", "password: The password is too similar to the username."),
    ];
    for (stdin, reason) in table {
        for command in [&["user", "create"][..], &["createsuperuser"]] {
            let arguments = [command, &["adalovelace", "--password-stdin"]].concat();
            let refused = here.run_with_stdin(&arguments, stdin);
            assert!(!refused.success);
            assert_eq!(
                refused.stderr,
                format!("countersign: {reason} Choose another password.\n"),
                "{arguments:?}"
            );
        }
    }
    let made = here.run_with_stdin(&["user", "create", "ada", "--password-stdin"], PASSWORD);
    assert!(made.success, "{}", made.stderr);
    let refused = here.run_with_stdin(&["changepassword", "ada", "--password-stdin"], "password\n");
    assert_eq!(
        refused.stderr,
        "countersign: password: This password is too common. Choose another password.\n"
    );
    assert_eq!(here.serve().anon().login("ada", PASSWORD).0, 200, "the old one stays");
}

#[test]
fn validators_can_be_chosen() {
    let create = |here: &Installation, name: &str, password: &str| {
        here.run_with_stdin(&["user", "create", name, "--password-stdin"], password).success
    };
    let none = Installation::new().with("AUTH_PASSWORD_VALIDATORS", "[]");
    assert!(create(&none, "ada", "1"));
    let long = Installation::new().with("AUTH_PASSWORD_VALIDATORS", "MinimumLengthValidator:12");
    assert_eq!([create(&long, "ada", "12345678901"), create(&long, "bob", "123456789012")], [false, true]);
    let json = r#"[{"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"}]"#;
    let numeric = Installation::new().with("AUTH_PASSWORD_VALIDATORS", json);
    assert_eq!([create(&numeric, "ada", "12345678901"), create(&numeric, "bob", "a")], [false, true]);
}
