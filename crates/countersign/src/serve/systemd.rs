//! What systemd is told, and the socket that it may pass. Without it, nothing is said.

use std::net::TcpListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::program::Failure;

/// The socket that was passed (`LISTEN_FDS`), if any.
pub fn listener() -> Result<Option<TcpListener>, Failure> {
    let mut given = ListenFd::from_env();
    match given.len() {
        0 => Ok(None),
        1 => given.take_tcp_listener(0).map_err(|error| {
            Failure::Other(format!(
                "the socket that was passed is not one of TCP: {error}; see ListenStream="
            ))
        }),
        count => {
            Err(Failure::Other(format!("{count} sockets were passed, and one is needed; see ListenStream=")))
        }
    }
}

/// Requests are served.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Settings are read anew, until [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "there is no monotonic clock"),
    }
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// For `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The process lives.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
