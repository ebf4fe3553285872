//! The bytes of a connection, HTTP/1.1 or HTTP/2 by its opening, sent in two pieces to a server on a real socket: it lets
//! go of whoever says no more, and answers the next one.
#![no_main]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use countersign_fuzz::World;
use countersign_http::{Manners, serve};
use libfuzzer_sys::fuzz_target;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Longer than any answer takes, shorter than the limits of a client that is silent.
const PATIENCE: Duration = Duration::from_secs(15);

struct Server {
    address: SocketAddr,
    _runtime: Runtime,
    _world: World,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    let world = World::new();
    let service = Arc::clone(&world.services[0]);
    runtime.spawn(serve(listener, service, std::future::pending::<()>(), Manners::default()));
    Server { address, _runtime: runtime, _world: world }
});

/// All that the server says to these bytes until it lets go, or nothing if it hangs up on them. Who leaves says no more
/// (and is owed no answer then).
fn converse(pieces: [&[u8]; 2], leaves: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(SERVER.address).expect("it accepts");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut said = Vec::new();
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            return said;
        }
    }
    if leaves {
        let _ = stream.shutdown(Shutdown::Write);
    }
    match stream.read_to_end(&mut said) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("held for {PATIENCE:?}")
        }
        _ => said,
    }
}

fuzz_target!(|data: &[u8]| {
    let (at, bytes) = data.split_first().map_or((0, data), |(at, bytes)| (usize::from(*at), bytes));
    let (one, other) = bytes.split_at(at.min(bytes.len()));
    converse([one, other], true);
    let probe = b"GET /healthz HTTP/1.1\r\nHost: auth.example\r\nConnection: close\r\n\r\n";
    let answer = converse([probe, b""], false);
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
});
