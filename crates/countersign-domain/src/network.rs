//! Networks of addresses, as `TRUSTED_PROXIES` names them and as attempts are counted by.

use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits (CIDR). An IPv4 address in IPv6's clothes is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// The network of this many bits that an address is in.
    #[must_use]
    pub fn of(address: IpAddr, bits: u8) -> Self {
        let (address, length) = canonical(address);
        let bits = bits.min(length);
        let dropped = u32::from(length - bits);
        let first = match address {
            IpAddr::V4(v4) => {
                IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(dropped).unwrap_or_default()).into())
            }
            IpAddr::V6(v6) => {
                IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(dropped).unwrap_or_default()).into())
            }
        };
        Self { first, bits }
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        canonical(address).0.is_ipv4() == self.first.is_ipv4() && Self::of(address, self.bits) == self
    }

    /// Its first address, as bytes.
    #[must_use]
    pub fn first_octets(self) -> Vec<u8> {
        match self.first {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }
    }
}

/// `10.0.0.0/8`, `2001:db8::/32`, or a single address. Bits beyond those that count are refused: they are a mistake.
impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(drop)?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(drop)?;
        let length = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(length);
        let (canonical, canonical_length) = canonical(address);
        let bits =
            bits.checked_sub(length - canonical_length).filter(|bits| *bits <= canonical_length).ok_or(())?;
        let network = Self::of(canonical, bits);
        if network.first == canonical { Ok(network) } else { Err(()) }
    }
}

fn canonical(address: IpAddr) -> (IpAddr, u8) {
    let address = address.to_canonical();
    (address, if address.is_ipv4() { 32 } else { 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|()| panic!("{text}"))
    }

    #[test]
    fn an_address_is_in_the_networks_that_begin_with_its_bits() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "2001:db8::1", "192.0.2.7"),
            ("::1", "::1", "::2"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
        ] {
            assert!(network(text).contains(inside.parse().unwrap()), "{inside} in {text}");
            assert!(!network(text).contains(outside.parse().unwrap()), "{outside} in {text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_so_are_bits_that_do_not_count() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.1/8",
            "2001:db8::1/32",
            "proxy",
            "10.0.0.0/",
            "10.0/8",
            "::ffff:1.2.3.4/95",
        ] {
            assert_eq!(text.parse::<Network>(), Err(()), "{text}");
        }
    }

    #[test]
    fn addresses_of_one_network_are_counted_as_one() {
        let of = |address: &str, bits| Network::of(address.parse().unwrap(), bits).first_octets();
        assert_eq!(of("192.0.2.7", 24), of("192.0.2.200", 24));
        assert_ne!(of("192.0.2.7", 32), of("192.0.2.200", 32));
        assert_eq!(of("2001:db8::1", 64), of("2001:db8::ffff:1", 64));
        assert_ne!(of("2001:db8::1", 64), of("2001:db8:0:1::1", 64));
        assert_eq!(of("::ffff:192.0.2.7", 24), [192, 0, 2, 0]);
    }
}
