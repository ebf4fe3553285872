//! `countersign healthcheck`: whether the server of these settings answers; for images without a shell or a client.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use countersign_http::exchange_encrypted;
use serde_json::json;

use crate::config::{Config, Files};
use crate::program::{Failure, read_sources, report};
use crate::serve;

const PATIENCE: Duration = Duration::from_secs(3);
/// The head of an answer is shorter.
const LONGEST_ANSWER: u64 = 4096;
/// What a proxy of this address would begin with of its own accord (`PROXY_PROTOCOL`).
const NO_PROXY: &[u8] = b"PROXY UNKNOWN\r\n";
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Asks `/healthz` at `BIND` and `PORT`.
pub fn run(as_json: bool) -> Result<(), Failure> {
    let config = Config::from_sources(&read_sources()?, Files::NotNeeded)?;
    let address = serve::address(&config.bind, config.port);
    let answer = ask(&address, &config).map_err(|error| {
        Failure::Other(format!(
            "no answer at {address}: {error}; start it, or set the BIND, PORT and TLS_CERT_FILE that it was started with"
        ))
    })?;
    if !answer.starts_with("HTTP/1.1 200 ") {
        let said = answer.lines().next().unwrap_or_default();
        return Err(Failure::Other(format!("the answer at {address} is {said:?}; look at its log")));
    }
    report(as_json, &json!({ "address": address, "status": "ok" }), &format!("{address} is healthy."))
}

fn ask(address: &str, config: &Config) -> Result<String, Error> {
    let mut refusal = Error::new(ErrorKind::NotFound, "the name has no address");
    for found in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&reachable(found), PATIENCE) {
            Ok(stream) => return exchange(stream, config),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn exchange(mut stream: TcpStream, config: &Config) -> Result<String, Error> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    if config.http.trusted_proxies.announces(stream.local_addr()?.ip()) {
        stream.write_all(NO_PROXY)?;
    }
    let mut answer = Vec::new();
    if config.tls.is_some() {
        answer = exchange_encrypted(stream, REQUEST, LONGEST_ANSWER)?;
    } else {
        stream.write_all(REQUEST)?;
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What listens on every address answers on this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(any) if any.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(any) if any.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
