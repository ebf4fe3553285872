//! Which of those who wait take turns with each other.

use std::net::{IpAddr, Ipv6Addr};

use countersign_domain::Client;

/// Where a password comes from: the addresses that one owner usually has, an IPv4 /24 or an IPv6 /48. Whoever floods from
/// all of them is still one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// The first bits of an address, the others zero; of IPv4 as the IPv6 address that stands for it.
    Of(Ipv6Addr),
    /// No address is known.
    Unknown,
    /// An operator at the command line.
    Operator,
}

impl Network {
    /// That of a client.
    pub fn of(client: &Client) -> Self {
        match client.address.as_deref().map(str::parse::<IpAddr>) {
            Some(Ok(address)) => Self::around(address),
            _ => Self::Unknown,
        }
    }

    fn around(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [first, second, third, _] = address.octets();
                Self::Of(std::net::Ipv4Addr::new(first, second, third, 0).to_ipv6_mapped())
            }
            IpAddr::V6(address) => {
                let [first, second, third, ..] = address.segments();
                Self::Of(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Network {
        Network::of(&Client::new(Some(address.to_owned()), ""))
    }

    #[test]
    fn a_network_is_what_one_owner_usually_has() {
        assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.9"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1::1"), of("2001:db8:1:ffff:ffff::2"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
        assert_ne!(of("192.0.2.1"), of("::192.0.2.1"));
        for nowhere in ["", "unix", "192.0.2.1:80"] {
            assert_eq!(of(nowhere), Network::Unknown);
        }
        assert_eq!(Network::of(&Client::default()), Network::Unknown);
    }
}
