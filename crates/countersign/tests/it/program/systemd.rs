//! systemd's side: what it is told over its socket, and the socket that it passes.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Installation, PASSWORD, Server};

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn beside(here: &Installation) -> Self {
        let socket = UnixDatagram::bind(here.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a bound");
        Self { socket, heard: Vec::new() }
    }

    /// Listens until a message has this line; the message.
    fn hear(&mut self, line: &str) -> String {
        loop {
            let mut buffer = [0; 1024];
            let length =
                self.socket.recv(&mut buffer).unwrap_or_else(|_| panic!("{line} is not in {:?}", self.heard));
            let message = String::from_utf8_lossy(buffer.get(..length).expect("it fits")).into_owned();
            self.heard.push(message.clone());
            if message.lines().any(|heard| heard.starts_with(line)) {
                return message;
            }
        }
    }

    fn has_heard(&self, line: &str) -> bool {
        self.heard.iter().any(|message| message.contains(line))
    }
}

impl Installation {
    fn with_manager(self) -> (Self, Manager) {
        let manager = Manager::beside(&self);
        let socket = self.path().join("notify").display().to_string();
        (self.with("NOTIFY_SOCKET", socket), manager)
    }
}

#[test]
fn the_manager_hears_of_the_start_of_a_reload_and_of_the_end() {
    let (here, mut manager) = Installation::new().with_manager();
    let server = here.serve();
    manager.hear("READY=1");
    assert!(manager.has_heard("STATUS=ready"), "{:?}", manager.heard);
    server.signal("HUP");
    let reloading = manager.hear("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.hear("READY=1");
    manager.hear("STATUS=ready");
    std::fs::write(here.path().join(".env"), "LOG=wran\n").expect("it is writable");
    server.signal("HUP");
    manager.hear("READY=1");
    let status = manager.hear("STATUS=SIGHUP: ");
    assert!(status.contains("did you mean warn?"), "{status}");
    std::fs::write(here.path().join(".env"), "LOG=warn\n").expect("it is writable");
    server.signal("HUP");
    manager.hear("READY=1");
    manager.hear("STATUS=ready");
    server.signal("TERM");
    manager.hear("STOPPING=1");
    assert!(server.wait().1);
    assert!(!manager.has_heard("WATCHDOG=1"), "nobody asked for it");
}

#[test]
fn the_watchdog_is_fed_while_the_database_is_there_and_starves_when_it_is_lost() {
    let (here, mut manager) = Installation::new().with("WATCHDOG_USEC", "600000").with_manager();
    let server = here.serve();
    for _ in 0..3 {
        manager.hear("WATCHDOG=1");
    }
    std::fs::rename(here.path().join("countersign.sqlite3"), here.path().join("away")).expect("it is ours");
    manager.hear("STATUS=not ready: database");
    // One may have been on its way.
    manager.socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a bound");
    let mut buffer = [0; 1024];
    let more = (0..10).take_while(|_| manager.socket.recv(&mut buffer).is_ok()).count();
    assert!(more <= 1, "it is fed {more} times more");
    drop(server);
}

impl Installation {
    /// Starts the server as systemd would, with this socket as its first.
    fn serve_on(&self, listener: &TcpListener) -> Server {
        // A shell takes the place of the manager: it gets the socket as its input and hands it on.
        let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\"";
        let mut command = Command::new("bash");
        let socket = OwnedFd::from(listener.try_clone().expect("a descriptor"));
        command.args(["-c", script, env!("CARGO_BIN_EXE_countersign")]).stdin(Stdio::from(socket));
        self.greeted(command)
    }
}

#[test]
fn a_socket_that_is_passed_is_served_and_keeps_who_connects_meanwhile() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let here = Installation::new().with("PORT", "1").with("BIND", "192.0.2.1");
    let server = here.serve_on(&listener);
    assert_eq!(server.address, address, "BIND and PORT do not count");
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    server.signal("TERM");
    assert!(server.wait().1);
    // The manager still has it: who connects now waits for the next server, and is not refused.
    let waiting = std::thread::spawn({
        let anon = super::Client { address };
        move || anon.login("ada", PASSWORD).0
    });
    let again = here.serve_on(&listener);
    assert_eq!(waiting.join().expect("an answer"), 200);
    drop(again);
}
