//! The first bytes of a connection, which tell what will be spoken on it. They are read into a few bytes of the stack, so
//! that a connection on which nothing was said yet has no buffers.

use std::io;

use tokio::net::TcpStream;

/// With what a client begins that speaks HTTP/2 without having asked (RFC 9113 §3.4). No request begins like this.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What was read to find out.
#[derive(Default)]
pub(crate) struct Opening {
    bytes: [u8; PREFACE.len()],
    length: usize,
    given: usize,
}

impl Opening {
    /// Reads until it is clear what is spoken, or the client says no more.
    pub(crate) async fn read(stream: &TcpStream) -> io::Result<Self> {
        let mut opening = Self::default();
        while opening.may_be_http2() && !opening.is_http2() {
            stream.readable().await?;
            let rest = opening.bytes.get_mut(opening.length..).unwrap_or_default();
            match stream.try_read(rest) {
                Ok(0) => break,
                Ok(read) => opening.length += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(opening)
    }

    /// Whether it is the whole preface.
    pub(crate) fn is_http2(&self) -> bool {
        self.bytes == PREFACE
    }

    fn may_be_http2(&self) -> bool {
        self.bytes.get(..self.length).is_some_and(|read| PREFACE.starts_with(read))
    }

    /// What of it has not been given to anybody yet, at most `room` bytes.
    pub(crate) fn give(&mut self, room: usize) -> &[u8] {
        let end = self.length.min(self.given.saturating_add(room));
        let given = std::mem::replace(&mut self.given, end);
        self.bytes.get(given..end).unwrap_or_default()
    }
}
