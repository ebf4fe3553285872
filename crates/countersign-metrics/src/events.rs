//! Events of the audit log, by what they are.

use crate::Counter;
use crate::declaring::Declaring;

/// The words of the audit log. That these are all of them, a test of `auth` says, which knows both.
const KINDS: [&str; 15] = [
    "login",
    "login_failed",
    "login_failures_omitted",
    "refresh_reuse_detected",
    "session_ended",
    "password_changed",
    "user_created",
    "user_changed",
    "user_deleted",
    "key_made",
    "key_rotated",
    "key_retired",
    "key_resealed",
    "server_started",
    "personal_data_erased",
];

/// Events of the audit log, by what they are.
pub struct Events([(&'static str, Counter); KINDS.len()]);

impl Events {
    pub(crate) fn declare(to: &mut Declaring) -> Self {
        let counters = to.counters(
            "events",
            "Events in the audit log of the database since this server started, by kind: those of all its servers and of the command \
             line. Looked at every few seconds.",
            "kind",
            KINDS,
        );
        let mut kinds = KINDS.into_iter();
        Self(counters.map(|counter| (kinds.next().unwrap_or_default(), counter)))
    }

    /// Those of this kind, if it is one.
    #[must_use]
    pub fn of(&self, kind: &str) -> Option<&Counter> {
        self.0.iter().find(|(name, _)| *name == kind).map(|(_, counter)| counter)
    }
}
