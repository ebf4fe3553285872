//! Whether a server could listen where it is to, which it tries only after everything else.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};

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
    let is_same = one.ip() == other.ip() || covers(one.ip(), other.ip()) || covers(other.ip(), one.ip());
    one.port() != 0 && one.port() == other.port() && is_same
}

/// Whether one is every address, and so the other one, too: `::` is those of IPv4 as well.
fn covers(one: IpAddr, other: IpAddr) -> bool {
    one.is_unspecified() && (one.is_ipv6() || other.is_ipv4())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_collide_on_one_port_where_an_address_of_the_one_is_one_of_the_other() {
        let collide = |one: &str, other: &str| {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            let found = collide(&one, &other);
            assert_eq!(found, collide(&other, &one), "{one} {other}");
            found
        };
        for (one, other) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("[::]:80", "0.0.0.0:80"),
        ] {
            assert!(collide(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("0.0.0.0:80", "[::1]:80"),
            ("127.0.0.1:80", "[::1]:80"),
            ("0.0.0.0:80", "0.0.0.0:81"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ] {
            assert!(!collide(one, other), "{one} {other}");
        }
    }
}
