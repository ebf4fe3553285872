//! Waiting for what another process does, not for ever.

use std::time::{Duration, Instant};

/// Within this time anything has happened that will, on a slow machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Comes back as soon as it `holds`; fails, and says what was waited for, if it never does.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain until {what}");
        tokio::task::yield_now().await;
    }
}
