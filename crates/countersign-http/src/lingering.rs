//! A socket that hears its client out before it closes.
//!
//! An operating system that closes a socket with unread bytes resets the connection, and a client that was still sending
//! its body never sees the answer. So the sending half is closed first, and what comes in is thrown away for a while.
//! A client with nothing on its way is let go at once: idle connections cost nothing here. One that asks and never
//! listens is cut off.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::opening::Opening;

/// A client that is still sending by then is cut off.
const PATIENCE: Duration = Duration::from_secs(5);
/// One that has sent this much since then, in bytes, does not listen: it is cut off, too.
const MOST_DISCARDED: usize = 16 * 1024 * 1024;
/// A client that has taken nothing of its answers for this long is cut off.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// A TCP connection whose shutdown discards what the client still sends.
pub(crate) struct Lingering {
    stream: TcpStream,
    /// What was read of the stream before.
    opening: Opening,
    /// When to give up; set once the sending half is closed.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes that were thrown away.
    discarded: usize,
    /// When to give up writing; set while the client takes nothing.
    write_deadline: Option<Pin<Box<Sleep>>>,
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream, opening: Opening) -> Self {
        Self { stream, opening, deadline: None, discarded: 0, write_deadline: None }
    }

    /// The outcome of a write, or an error once the client has taken nothing for too long.
    fn unless_stalled(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let deadline =
            self.write_deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_PATIENCE)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Ready when the client has closed its half, or is silent and always was, or takes too long, or sends too much.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let mut unread = ReadBuf::new(&mut buffer);
            match pin!(&mut self.stream).poll_read(cx, &mut unread) {
                Poll::Ready(Ok(())) if !unread.filled().is_empty() && self.discarded < MOST_DISCARDED => {
                    self.discarded += unread.filled().len();
                }
                Poll::Pending if self.discarded > 0 => break,
                _ => return Poll::Ready(()),
            }
        }
        self.deadline.as_mut().map_or(Poll::Ready(()), |deadline| deadline.as_mut().poll(cx))
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let opening = self.opening.give(buffer.remaining());
        if opening.is_empty() {
            return pin!(&mut self.stream).poll_read(cx, buffer);
        }
        buffer.put_slice(opening);
        // The rest is mostly there too; if reading fails, it fails next time as well.
        let _ = pin!(&mut self.stream).poll_read(cx, buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.stream).poll_write(cx, bytes);
        self.unless_stalled(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.stream).poll_write_vectored(cx, slices);
        self.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deadline.is_none() {
            ready!(pin!(&mut self.stream).poll_shutdown(cx))?;
            self.deadline = Some(Box::pin(tokio::time::sleep(PATIENCE)));
        }
        self.poll_discard(cx).map(Ok)
    }
}
