//! Whether a server could listen where it is to, which it tries only after everything else.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use super::Finding;
use crate::config::Config;
use crate::serve::address;

/// Addresses that are none of this machine, and two servers on one. That a port is taken is no finding: a server may run.
pub fn findings(config: &Config) -> Vec<Finding> {
    let bind = address(&config.bind, config.port);
    let metrics = config.metrics_bind.as_deref();
    let mut found: Vec<_> = unusable("BIND", &bind).into_iter().collect();
    found.extend(metrics.and_then(|metrics| unusable("METRICS_BIND", metrics)));
    found.extend(metrics.filter(|metrics| is_same(&bind, metrics)).map(|_| same()));
    found
}

/// Tries any port there.
fn unusable(setting: &str, address: &str) -> Option<Finding> {
    let listen = || {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.map(without_port).collect();
        TcpListener::bind(addresses.as_slice())
    };
    let error = listen().err().filter(|error| error.kind() != ErrorKind::PermissionDenied)?;
    let finding = Finding::warning(
        "E006",
        format!("{setting} is no address of this machine: {error}"),
        "nothing is served",
        "set it to an address that `ip address` lists, such as 127.0.0.1, or to 0.0.0.0 for all",
    );
    Some(finding.error())
}

fn without_port(mut address: SocketAddr) -> SocketAddr {
    address.set_port(0);
    address
}

fn is_same(bind: &str, metrics: &str) -> bool {
    let of = |address: &str| address.to_socket_addrs().map(Vec::from_iter).unwrap_or_default();
    let metrics = of(metrics);
    of(bind).iter().any(|one| metrics.iter().any(|other| collide(one, other)))
}

fn collide(one: &SocketAddr, other: &SocketAddr) -> bool {
    let is_all = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (is_all || one.ip() == other.ip())
}

fn same() -> Finding {
    let why = "the second of two servers cannot listen there, and nothing is served";
    Finding::warning(
        "E007",
        "METRICS_BIND is where BIND and PORT are",
        why,
        "choose another port for METRICS_BIND",
    )
    .error()
}
