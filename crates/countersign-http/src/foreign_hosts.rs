//! Tells the operator of requests for a host that `ALLOWED_HOSTS` lacks: once in a while, for anybody may send them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::request::host::domain;

/// How long nothing more is said.
const PAUSE: Duration = Duration::from_secs(60);
/// More of a name is not shown.
const MAX_SHOWN: usize = 100;

/// When it was last told.
#[derive(Default)]
pub(crate) struct ForeignHosts(Mutex<Option<Instant>>);

impl ForeignHosts {
    /// A request for `host` was refused.
    pub(crate) fn refused(&self, host: &[u8]) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        *last = Some(Instant::now());
        // What has the form of a name has nothing in it that could write lines of its own.
        if let Some(name) = domain(host) {
            tracing::warn!(
                host = name.get(..MAX_SHOWN).unwrap_or(&name),
                "a request was refused for its host; if the name is yours, add it to ALLOWED_HOSTS"
            );
        } else {
            tracing::warn!(
                "a request was refused for its host, which is no name; if a proxy sends it, correct its header Host"
            );
        }
    }
}
