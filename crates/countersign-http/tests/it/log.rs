//! What the service writes to its log, by level.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

/// Hears what this thread logs until it is dropped.
pub struct Log {
    heard: Arc<Mutex<Vec<(Level, String)>>>,
    _guard: DefaultGuard,
}

impl Log {
    pub fn listen() -> Self {
        let heard = Arc::default();
        let guard = tracing::subscriber::set_default(Listener(Arc::clone(&heard)));
        Self { heard, _guard: guard }
    }

    /// How many events of `level` there were.
    pub fn count(&self, level: Level) -> usize {
        self.texts(level).len()
    }

    /// What was said at `level`, each with its fields.
    pub fn texts(&self, level: Level) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(of, _)| *of == level).map(|(_, text)| text.clone()).collect()
    }
}

struct Listener(Arc<Mutex<Vec<(Level, String)>>>);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = String::new();
        event.record(&mut |field: &Field, value: &dyn Debug| write!(text, "{field}={value:?} ").unwrap());
        self.0.lock().unwrap().push((*event.metadata().level(), text));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
