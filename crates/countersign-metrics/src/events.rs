//! Events of the audit log, by what they are.

use countersign_domain::EventKind;

use crate::Counter;
use crate::declaring::Declaring;

/// Events of the audit log, by what they are.
pub struct Events(Vec<(&'static str, Counter)>);

impl Events {
    pub(crate) fn declare(to: &mut Declaring) -> Self {
        let kinds: Vec<&'static str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        let counters = to.counters_of(
            "events",
            "Events in the audit log of the database since this server started, by kind: those of all its servers and of the command \
             line. Looked at every few seconds.",
            "kind",
            &kinds,
        );
        Self(kinds.into_iter().zip(counters).collect())
    }

    /// Those of this kind, if it is one.
    #[must_use]
    pub fn of(&self, kind: &str) -> Option<&Counter> {
        self.0.iter().find(|(name, _)| *name == kind).map(|(_, counter)| counter)
    }
}
