//! The README's shell blocks, run as a newcomer would run them, against the built binary.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rexpect::session::spawn_command;

const README: &str = include_str!("../../../../README.md");

/// What stands between the fences of one block.
struct Block {
    language: &'static str,
    text: &'static str,
}

fn blocks() -> Vec<Block> {
    let fenced = README.split("```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.split_once('\n'))
        .map(|(language, text)| Block { language, text })
        .collect()
}

/// The server, in a directory of its own; killed at the end.
struct Server {
    child: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Server {
    /// `cargo run --release` in the newcomer's terminal, on a port that is free here.
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.env_clear().env("PORT", "0").current_dir(directory.path()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut greeting = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut greeting).expect("a greeting");
        let address = greeting.trim_end().rsplit("http://").next().expect("an address").to_owned();
        Self { child, address, _directory: directory }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `output` is `expected`, where `…` stands for any text without a quote.
fn is_as_shown(output: &str, expected: &str) -> bool {
    let mut rest = output;
    for (at, part) in expected.split('…').enumerate() {
        if at > 0 {
            rest = rest.find('"').map_or("", |end| &rest[end..]);
        }
        match rest.strip_prefix(part) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

#[test]
fn the_readmes_commands_answer_what_the_readme_shows() {
    let blocks = blocks();
    let shell: Vec<&Block> = blocks.iter().filter(|block| block.language == "sh").collect();
    let (first, last) = (shell.first().expect("shell blocks"), shell.last().expect("shell blocks"));
    assert_eq!(first.text.trim(), "cargo run --release", "the first block starts the server");
    assert_eq!(last.text.trim(), "cargo test --workspace", "the last block is what runs this test");

    let server = Server::start();
    // One shell for all blocks, as variables are carried on; a line of its own ends the output of each.
    let mut script = String::from("set -eu\n");
    let mut shown = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let expected = blocks.get(at + 1).filter(|next| next.language == "json");
        if let ("sh", Some(expected)) = (block.language, expected) {
            let commands =
                block.text.replace("curl ", "curl -sS ").replace("127.0.0.1:8000", &server.address);
            script.extend([commands.as_str(), "\nprintf '\\n<end>\\n'\n"]);
            shown.push((block.text, expected.text));
        }
    }
    let mut bash = Command::new("bash");
    let mut run =
        bash.arg("-c").arg(&script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash runs");
    let mut output = String::new();
    run.stdout.take().expect("piped").read_to_string(&mut output).expect("UTF-8");
    assert!(run.wait().expect("bash ends").success(), "a command failed: {output}");

    let answers: Vec<&str> = output.split("<end>\n").collect();
    assert_eq!(answers.len(), shown.len() + 1, "{output}");
    assert!(shown.len() >= 5, "register, log in, me, refresh and blacklist are shown");
    for ((commands, expected), answer) in shown.iter().zip(answers) {
        assert!(
            is_as_shown(answer.trim(), expected.trim()),
            "{commands}answered {answer}, but {expected} is shown"
        );
    }
}

#[test]
fn the_readmes_set_up_asks_and_leaves_what_serves() {
    assert!(blocks().iter().any(|block| block.text.trim() == "cargo run --release -- init"), "it is shown");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let countersign = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).env_clear().current_dir(directory.path());
        command
    };
    let mut terminal = spawn_command(countersign(&["init"]), Some(60_000)).expect("a terminal");
    for (question, answer) in [
        ("Database", ""),
        ("Host names", ""),
        ("Username", "ada"),
        ("E-mail", ""),
        ("Password: ", "correct horse battery"),
        ("(again): ", "correct horse battery"),
    ] {
        terminal.exp_string(question).unwrap_or_else(|error| panic!("{question}: {error}"));
        terminal.send_line(answer).expect("typed");
    }
    terminal.exp_string("The superuser is made").expect("it says so");
    terminal.exp_eof().expect("it ends");
    let checked = countersign(&["check", "--deploy"]).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "No issues.\n");
}

#[test]
fn an_answer_that_is_not_the_one_shown_is_noticed() {
    assert!(is_as_shown(r#"{"a":"x","b":"y"}"#, r#"{"a":"…","b":"…"}"#));
    assert!(!is_as_shown(r#"{"a":"x","c":"y"}"#, r#"{"a":"…","b":"…"}"#));
    assert!(!is_as_shown(r#"{"a":"x"} more"#, r#"{"a":"…"}"#));
    assert!(!is_as_shown("", r#"{"a":"…"}"#));
}
