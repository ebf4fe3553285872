//! What a connection may take, and for how long. Those who test the limits choose small ones.

use std::time::Duration;

/// The limits of a server; the default is what serves.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once, where the system grants the descriptors; beyond HTTP/1.1, requests at once as well.
    pub connections: usize,
    /// Until a request's head is there, since the connection or the last answer; so idle ones end by it too.
    pub head: Duration,
    /// Until a proxy that has to has said who has connected to it.
    pub announcement: Duration,
    /// Until the TLS handshake is done.
    pub handshake: Duration,
    /// The streams of one HTTP/2 connection at once.
    pub streams: u32,
    /// How long an HTTP/2 connection may be without a request.
    pub idle: Duration,
    /// How long a request on an HTTP/2 connection may be in flight, its answer taken and all; then the connection is cut off.
    pub stalled: Duration,
    /// Requests that an HTTP/2 connection may take back unanswered, unless more were answered.
    pub taken_back: usize,
    /// How often an HTTP/2 client is asked whether it is there, and how long it has to say so.
    pub ping: (Duration, Duration),
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: Duration::from_secs(30),
            announcement: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            streams: 100,
            idle: Duration::from_secs(30),
            stalled: Duration::from_secs(90),
            taken_back: 100,
            ping: (Duration::from_secs(20), Duration::from_secs(10)),
        }
    }
}
