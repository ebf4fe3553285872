//! What images and packages need of the program: a probe without a shell, completions, pages of the manual.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::json;

use super::{Installation, until};

/// Settings with which a subcommand finds the server at `address`.
fn beside(bind: &str, address: &str) -> Installation {
    let port = address.rsplit(':').next().expect("a port");
    Installation::new().with("BIND", bind).with("PORT", port)
}

#[test]
fn healthcheck_succeeds_while_the_server_answers_and_fails_when_it_is_gone() {
    let here = Installation::new();
    let server = here.serve();
    let address = server.address.clone();
    let probe = beside("127.0.0.1", &address);
    assert_eq!(probe.say(&["healthcheck"]), format!("{address} is healthy.\n"));
    assert_eq!(probe.say_json(&["healthcheck"]), json!({"address": address, "status": "ok"}));
    beside("0.0.0.0", &address).say(&["healthcheck"]);
    beside("localhost", &address).say(&["healthcheck"]);
    assert!(!probe.path().join("countersign.sqlite3").exists(), "it asks, and makes nothing");

    server.signal("KILL");
    server.wait();
    let sentence = probe.refusal(&["healthcheck"]);
    assert!(sentence.starts_with(&format!("no answer at {address}: ")), "{sentence}");
}

#[test]
fn healthcheck_passes_for_no_proxy_where_these_have_to_say_whom_they_pass_on() {
    let proxied = |here: Installation, proxies: &str| {
        here.with("PROXY_PROTOCOL", "on").with("TRUSTED_PROXIES", proxies)
    };
    for proxies in ["127.0.0.1", "192.0.2.1"] {
        let here = proxied(Installation::new(), proxies);
        let server = here.serve();
        let said = proxied(beside("127.0.0.1", &server.address), proxies).say(&["healthcheck"]);
        assert_eq!(said, format!("{} is healthy.\n", server.address));
    }
    let here = proxied(Installation::new(), "127.0.0.1");
    let server = here.serve();
    beside("127.0.0.1", &server.address).refusal(&["healthcheck"]);
    let told =
        "one of TRUSTED_PROXIES connects without the PROXY protocol, and is refused: have it send that";
    until(|| here.log().contains(told));
}

#[test]
fn healthcheck_takes_no_other_server_for_ours() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it is asked");
        // A connection that is closed with something unread is reset, answer and all.
        let asked = stream.read(&mut [0; 1024]).expect("it asks");
        assert!(asked > 0);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").expect("it listens");
    });
    let sentence = beside("127.0.0.1", &address).refusal(&["healthcheck"]);
    assert!(sentence.contains("404 Not Found"), "{sentence}");
    other.join().expect("it answered");
}

#[test]
fn bash_completes_the_command_line() {
    let script = Installation::new().say(&["completions", "bash"]);
    let ask = "source /dev/stdin\nCOMP_WORDS=(countersign keys ro); COMP_CWORD=2\n\
               _countersign countersign ro keys; echo \"${COMPREPLY[*]}\"";
    let mut bash = Command::new("bash")
        .args(["--norc", "-c", ask])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash runs");
    bash.stdin.take().expect("stdin is piped").write_all(script.as_bytes()).expect("bash reads");
    assert_eq!(bash.wait_with_output().expect("bash ends").stdout, b"rotate\n");
}

#[test]
fn the_manual_has_a_page_for_each_subcommand_that_is_shown() {
    let here = Installation::new();
    here.say(&["manual", "man"]);
    let entries = std::fs::read_dir(here.path().join("man")).expect("it was made");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    for page in ["countersign.1", "countersign-serve.1", "countersign-user-create.1"] {
        assert!(names.iter().any(|name| name == page), "{page} is not among {names:?}");
    }
    assert!(!names.iter().any(|name| name == "countersign-manual.1"), "{names:?}");
    let page = std::fs::read_to_string(here.path().join("man/countersign.1")).expect("readable");
    assert!(page.contains("ALLOWED_HOSTS"), "it has the settings");
    for heading in [".SH \"EXIT STATUS\"", ".SH FILES", ".SH SIGNALS"] {
        assert!(page.contains(heading), "{heading}");
    }
    let page = std::fs::read_to_string(here.path().join("man/countersign-user-create.1")).expect("readable");
    let synopsis =
        page.split(".SH SYNOPSIS").nth(1).and_then(|rest| rest.split(".SH").next()).expect("a synopsis");
    let synopsis = synopsis.replace('\\', "");
    for part in ["[--email <EMAIL>]", "[--config <FILE>]", "[--json]", "<USERNAME>"] {
        assert!(synopsis.contains(part), "{part}: {synopsis}");
    }
    assert!(page.contains(".SH \"EXIT STATUS\"") && !page.contains(".SH SIGNALS"), "{page}");
}

#[test]
fn what_cannot_be_written_fails_and_who_stops_reading_does_not_make_it_fail() {
    let here = Installation::new();
    here.say(&["migrate"]);
    here.say(&["keys", "generate"]);
    for arguments in [
        &["config"][..],
        &["check"],
        &["user", "list", "--json"],
        &["completions", "bash"],
        &["audit", "export"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
        let output = here.command(arguments).stdout(full).output().expect("it runs");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("the result cannot be written: "), "{arguments:?}: {said}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert!(here.command(arguments).stdout(writer).status().expect("it runs").success(), "{arguments:?}");
    }
}

#[test]
fn options_that_mean_nothing_to_a_command_are_refused() {
    let here = Installation::new();
    for arguments in
        [&["serve", "--json"][..], &["--json"], &["completions", "bash", "--json"], &["demo", "--json"]]
    {
        let refused = here.run(arguments);
        assert!(!refused.success && refused.stderr.contains("--json means nothing"), "{}", refused.stderr);
    }
    for (command, has_json, has_config) in
        [("serve", false, true), ("demo", false, false), ("completions", false, false), ("check", true, true)]
    {
        let help = here.say(&[command, "--help"]);
        assert_eq!((help.contains("--json"), help.contains("--config")), (has_json, has_config), "{help}");
    }
    let refused = here.run(&["demo", "--config", "x.toml"]);
    assert!(!refused.success && refused.stderr.contains("--config means nothing"), "{}", refused.stderr);
}
