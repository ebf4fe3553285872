//! The PROXY protocol, versions 1 and 2: what a proxy that passes on connections and not requests says at the beginning of
//! each about who has connected to it. It is read of `TRUSTED_PROXIES` alone, and of these it is not left out: whoever may
//! leave it out may say it later, as a client of theirs.

use std::io;
use std::net::IpAddr;

use proxy_header::{Error, ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use tokio::net::TcpStream;

/// A longer header is refused. Version 2 may have whatever its proxy adds.
pub const MAX_BYTES: usize = 4096;
/// The same of version 1, by its definition. One that is all there at once would otherwise be taken though it is longer.
const MAX_BYTES_OF_FIRST: usize = 107;

/// What the beginning of a connection says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// There has to come more of it.
    Beginning,
    /// It ends after so many bytes, and says who the client is, unless that is the proxy itself.
    Whole(usize, Option<IpAddr>),
}

/// It is no such header, or says what cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection does not begin with a PROXY protocol header")]
pub struct Malformed;

/// Reads the beginning of a connection. `LOCAL`, `UNKNOWN` and addresses that are none of the Internet's name no client.
pub fn parse(bytes: &[u8]) -> Result<Read, Malformed> {
    let config = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
    match ProxyHeader::parse(bytes, config) {
        Ok((_, length)) if bytes.starts_with(b"P") && length > MAX_BYTES_OF_FIRST => Err(Malformed),
        Ok((header, length)) => match header.proxied_address() {
            Some(ProxiedAddress { protocol: Protocol::Datagram, .. }) => Err(Malformed),
            address => Ok(Read::Whole(length, address.map(|address| address.source.ip().to_canonical()))),
        },
        Err(Error::BufferTooShort) => Ok(Read::Beginning),
        Err(_) => Err(Malformed),
    }
}

/// Takes the header off a connection, and nothing of what comes after it.
pub(crate) async fn take(stream: &TcpStream) -> io::Result<Option<IpAddr>> {
    let mut bytes = vec![0; MAX_BYTES];
    let mut taken = 0;
    loop {
        let waiting = match stream.peek(bytes.get_mut(taken..).unwrap_or_default()).await? {
            0 if taken < MAX_BYTES => return Err(io::ErrorKind::UnexpectedEof.into()),
            waiting => waiting,
        };
        let seen = taken + waiting;
        let read = parse(bytes.get(..seen).unwrap_or_default()).map_err(malformed)?;
        let end = match read {
            Read::Whole(length, _) => length,
            Read::Beginning if seen < MAX_BYTES => seen,
            Read::Beginning => return Err(malformed(Malformed)),
        };
        while taken < end {
            stream.readable().await?;
            match stream.try_read(bytes.get_mut(taken..end).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => taken += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if let Read::Whole(_, client) = read {
            return Ok(client);
        }
    }
}

fn malformed(why: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of version 2: its command, family and what follows these.
    fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];

    fn client(bytes: &[u8]) -> Result<Option<String>, Malformed> {
        match parse(&[bytes, b"GET / HTTP/1.1\r\n"].concat())? {
            Read::Whole(length, client) => {
                assert_eq!(length, bytes.len());
                Ok(client.map(|client| client.to_string()))
            }
            Read::Beginning => panic!("it is all there: {bytes:?}"),
        }
    }

    #[test]
    fn both_versions_name_the_client_or_nobody() {
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &[0x12, 0x34, 0, 80]].concat();
        let mapped = [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 7], &[0; 16], &[0x12, 0x34, 0, 80]].concat();
        let with_more = [&V4[..], &[4, 0, 3, 1, 2, 3]].concat();
        for (bytes, expected) in [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(), Some("192.0.2.7")),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 4660 80\r\n".to_vec(), Some("2001:db8::7")),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4660 80\r\n".to_vec(), Some("192.0.2.7")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), None),
            (second(0x21, 0x11, &V4), Some("192.0.2.7")),
            (second(0x21, 0x11, &with_more), Some("192.0.2.7")),
            (second(0x21, 0x21, &v6), Some("2001:db8::7")),
            (second(0x21, 0x21, &mapped), Some("192.0.2.7")),
            (second(0x20, 0x11, &V4), None),
            (second(0x20, 0, &[]), None),
            (second(0x21, 0, &[]), None),
            (second(0x21, 0x31, &[0; 216]), None),
        ] {
            assert_eq!(client(&bytes).as_ref().map(Option::as_deref), Ok(expected), "{bytes:?}");
            for end in 0..bytes.len() {
                let beginning = bytes.get(..end).unwrap();
                assert_eq!(parse(beginning), Ok(Read::Beginning), "{beginning:?}");
            }
        }
    }

    #[test]
    fn whatever_else_a_connection_begins_with_is_refused() {
        for bytes in [
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            b"POST / HTTP/1.1\r\nHost: auth.example\r\n".to_vec(),
            b"\x16\x03\x01\x02\0\x01\0".to_vec(),
            b"PROXY TCP5 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.256 10.0.0.1 4660 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 65536\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\r".to_vec(),
            [b"PROXY TCP4 ".to_vec(), vec![b'1'; 100]].concat(),
            [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 100]].concat(),
            [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 92], b"\r\n".to_vec()].concat(),
            second(0x22, 0x11, &V4),
            second(0x11, 0x11, &V4),
            second(0x21, 0x41, &V4),
            second(0x21, 0x12, &V4),
            [second(0x21, 0x11, &V4[..11]), b"G".to_vec()].concat(),
        ] {
            assert_eq!(parse(&bytes), Err(Malformed), "{bytes:?}");
        }
    }
}
