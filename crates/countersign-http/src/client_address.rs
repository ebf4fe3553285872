//! Where a request comes from, when proxies stand between: the right-most hop that is none of ours.
//!
//! Proxies append the address that they were asked from to `X-Forwarded-For` or `Forwarded` (RFC 7239), and pass on what was
//! there. Which of the two they write is a setting: the other one is whatever a client has sent. So what the last of them says is true, and of what stands before only as much as the trusted ones in a row have
//! said. A peer that is not trusted is itself the client, whatever its headers say.

use std::net::IpAddr;

use countersign_domain::Network;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word is taken (`TRUSTED_PROXIES`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    header: ForwardedHeader,
    /// Whether they speak the PROXY protocol.
    announce: bool,
}

/// In which header they say who asked them (`FORWARDED_HEADER`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded`.
    Forwarded,
}

impl TrustedProxies {
    /// These networks, which write this header.
    #[must_use]
    pub fn new(networks: Vec<Network>, header: ForwardedHeader) -> Self {
        Self { networks, header, announce: false }
    }

    /// The same, which begin each connection with a header of the PROXY protocol, or not.
    #[must_use]
    pub fn that_announce(self, announce: bool) -> Self {
        Self { announce, ..self }
    }

    /// Whether a connection of this peer has to begin with a header of the PROXY protocol. Of nobody else it is one.
    #[must_use]
    pub fn announces(&self, peer: IpAddr) -> bool {
        self.announce && self.trusts(peer.to_canonical())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// The client of a request that came from `peer`.
    ///
    /// A hop that is no address (`unknown`, a name made up to hide one, or nonsense) hides all before it: then the client is
    /// the last one known, the proxy that says so.
    pub(crate) fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        match self.header {
            ForwardedHeader::XForwardedFor => self.client_by(peer, headers, &X_FORWARDED_FOR, read_hops),
            ForwardedHeader::Forwarded => self.client_by(peer, headers, &FORWARDED, read_elements),
        }
    }

    /// Whether this peer may speak for many clients: a proxy of ours, or where none is named, whoever is on this machine.
    pub(crate) fn may_be_many(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusts(peer) || self.is_empty() && peer.is_loopback()
    }

    /// Whether somebody who is not trusted says who asked them: then they may well be a proxy that was forgotten.
    pub(crate) fn is_missing(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        self.is_empty()
            && is_near(peer.to_canonical())
            && (headers.contains_key(&X_FORWARDED_FOR) || headers.contains_key(&FORWARDED))
    }

    fn client_by(&self, peer: IpAddr, headers: &HeaderMap, name: &HeaderName, read: ReadHops) -> IpAddr {
        let lines: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
        let mut client = peer;
        for line in lines.into_iter().rev() {
            for hop in read(line.as_bytes()).into_iter().rev() {
                let Some(hop) = hop else { return client };
                client = hop;
                if !self.trusts(hop) {
                    return client;
                }
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// The hops of a line of a header, each an address if it is one.
type ReadHops = fn(&[u8]) -> Vec<Option<IpAddr>>;

/// Of this machine or of a private network, as proxies are.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

fn read_hops(line: &[u8]) -> Vec<Option<IpAddr>> {
    line.split(|byte| *byte == b',').map(|hop| address_of(std::str::from_utf8(hop).ok()?)).collect()
}

/// `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`. In a line with a quote that does not end, nobody knows where hops
/// begin: it is one that is no address.
fn read_elements(line: &[u8]) -> Vec<Option<IpAddr>> {
    let Ok(line) = std::str::from_utf8(line) else { return vec![None] };
    match split_unquoted(line, ',') {
        Some(elements) => elements.into_iter().map(address_of_element).collect(),
        None => vec![None],
    }
}

fn address_of_element(element: &str) -> Option<IpAddr> {
    let pairs = split_unquoted(element, ';')?;
    let mut named = pairs.into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    });
    let (value, None) = (named.next()?, named.next()) else { return None };
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    address_of(quoted.unwrap_or(value))
}

/// Splits where no quotes are around the separator; `None` if one is not closed.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text.split(|character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            _ if was_escaped => false,
            '\\' if is_quoted => {
                is_escaped = true;
                false
            }
            '"' => {
                is_quoted = !is_quoted;
                false
            }
            character => character == separator && !is_quoted,
        }
    });
    let parts: Vec<&str> = parts.collect();
    (!is_quoted).then_some(parts)
}

/// An address, with a port or without, an IPv6 one in brackets or not.
fn address_of(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let (host, port) = match hop.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match hop.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (hop, None),
        },
    };
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let address: IpAddr = host.parse().ok().filter(|_| port.is_none_or(is_port))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: &str = "127.0.0.1 10.0.0.0/8 2001:db8:1::/48";

    fn client(peer: &str, lines: &[(&'static str, &str)]) -> String {
        client_in(ForwardedHeader::XForwardedFor, peer, lines)
    }

    fn client_in(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let networks = PROXIES.split(' ').map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        TrustedProxies::new(networks, header).client_of(peer.parse().unwrap(), &headers).to_string()
    }

    fn by_x(value: &str) -> String {
        client("127.0.0.1", &[("x-forwarded-for", value)])
    }

    fn by_forwarded(value: &str) -> String {
        client_in(ForwardedHeader::Forwarded, "127.0.0.1", &[("forwarded", value)])
    }

    #[test]
    fn whoever_is_no_trusted_proxy_is_the_client_whatever_they_say() {
        for name in ["x-forwarded-for", "forwarded"] {
            assert_eq!(client("203.0.113.9", &[(name, "for=192.0.2.1")]), "203.0.113.9");
            assert_eq!(client("203.0.113.9", &[(name, "192.0.2.1")]), "203.0.113.9");
        }
        assert_eq!(client("::ffff:203.0.113.9", &[]), "203.0.113.9");
        let nobody = TrustedProxies::default();
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"))]);
        assert_eq!(nobody.client_of("127.0.0.1".parse().unwrap(), &headers).to_string(), "127.0.0.1");
    }

    #[test]
    fn behind_trusted_proxies_it_is_the_right_most_hop_that_is_none_of_them() {
        for (value, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("198.51.100.66, 192.0.2.1", "192.0.2.1"),
            ("198.51.100.66,192.0.2.1 , 10.1.2.3,10.0.0.1", "192.0.2.1"),
            ("192.0.2.1:4711, 10.0.0.1:80", "192.0.2.1"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7, 2001:db8:1::9", "2001:db8::7"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("10.0.0.7, 10.0.0.1", "10.0.0.7"),
            ("127.0.0.1, 192.0.2.1, 127.0.0.1", "192.0.2.1"),
        ] {
            assert_eq!(by_x(value), expected, "{value}");
        }
        let lines = [("x-forwarded-for", "198.51.100.66, 192.0.2.1"), ("x-forwarded-for", "10.0.0.1")];
        assert_eq!(client("::ffff:127.0.0.1", &lines), "192.0.2.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        for (value, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("for=198.51.100.66, For=\"192.0.2.1:80\";proto=https;by=10.0.0.1", "192.0.2.1"),
            ("for=\"[2001:db8::7]:4711\", for=10.0.0.1", "2001:db8::7"),
            ("proto=https ; FOR = 192.0.2.1", "192.0.2.1"),
            ("for=198.51.100.66;host=\"a,b\\\",for=1.1.1.1\", for=192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(by_forwarded(value), expected, "{value}");
        }
    }

    #[test]
    fn a_hop_that_is_no_address_hides_all_before_it() {
        for value in [
            "",
            "unknown",
            "192.0.2.1, unknown",
            "192.0.2.1, _hidden",
            "192.0.2.1,",
            "192.0.2.1:port",
            "192.0.2",
            "192.0.2.1 192.0.2.2",
            "[2001:db8::7",
            "[2001:db8::7]4711",
            "192.0.2.1:123456",
            "\u{e4}",
            "'192.0.2.1'",
        ] {
            assert_eq!(by_x(value), "127.0.0.1", "{value}");
        }
        assert_eq!(by_x("192.0.2.1, unknown, 10.0.0.1"), "10.0.0.1");
        for value in [
            "",
            "192.0.2.1",
            "for=unknown",
            "for=_x",
            "for=192.0.2.1, proto=https",
            "for=\"192.0.2.1",
            "for=\"192.0.2.1, for=192.0.2.2",
            "for=192.0.2.1;for=192.0.2.2",
            "for",
            "for=",
            "for=\"",
            "for=192.0.2.1,",
        ] {
            assert_eq!(by_forwarded(value), "127.0.0.1", "{value}");
        }
    }

    #[test]
    fn of_two_headers_the_one_is_believed_that_the_proxies_write() {
        for forged in ["for=192.0.2.1", "for=198.51.100.66", "for=unknown", "for=127.0.0.1", "\""] {
            let lines = [("x-forwarded-for", "192.0.2.1"), ("forwarded", forged)];
            assert_eq!(client("127.0.0.1", &lines), "192.0.2.1", "{forged}");
        }
        for forged in ["198.51.100.66", "unknown", "127.0.0.1", ""] {
            let lines = [("x-forwarded-for", forged), ("forwarded", "for=192.0.2.1")];
            let client = client_in(ForwardedHeader::Forwarded, "127.0.0.1", &lines);
            assert_eq!(client, "192.0.2.1", "{forged}");
        }
        assert_eq!(client("127.0.0.1", &[("forwarded", "for=198.51.100.66")]), "127.0.0.1");
    }

    #[test]
    fn a_proxy_that_was_forgotten_is_noticed_where_proxies_are() {
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"))]);
        let is_missing = |proxies: &TrustedProxies, peer: &str, headers: &HeaderMap| {
            proxies.is_missing(peer.parse().unwrap(), headers)
        };
        let none = TrustedProxies::default();
        for near in ["127.0.0.1", "::1", "172.17.0.1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(is_missing(&none, near, &headers), "{near}");
            assert!(!is_missing(&none, near, &HeaderMap::new()), "{near}");
        }
        assert!(!is_missing(&none, "203.0.113.9", &headers));
        let some = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()], ForwardedHeader::default());
        assert!(!is_missing(&some, "127.0.0.1", &headers));
    }
}
