//! What the service writes to its log, by level.

use std::sync::{Arc, Mutex};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

/// Hears what this thread logs until it is dropped.
pub struct Log {
    levels: Arc<Mutex<Vec<Level>>>,
    _guard: DefaultGuard,
}

impl Log {
    pub fn listen() -> Self {
        let levels = Arc::default();
        let guard = tracing::subscriber::set_default(Listener(Arc::clone(&levels)));
        Self { levels, _guard: guard }
    }

    /// How many events of `level` there were.
    pub fn count(&self, level: Level) -> usize {
        self.levels.lock().unwrap().iter().filter(|heard| **heard == level).count()
    }
}

struct Listener(Arc<Mutex<Vec<Level>>>);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
