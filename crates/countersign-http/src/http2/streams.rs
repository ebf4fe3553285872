//! The requests of one HTTP/2 connection: how many there are, how they ended, and the tasks that answer them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::places::Place;

/// What is known of a connection's requests.
pub(super) struct Streams {
    counts: Mutex<Counts>,
    taken_back: Notify,
}

struct Counts {
    /// When those in flight began, by their numbers.
    in_flight: BTreeMap<u64, Instant>,
    begun: u64,
    answered: usize,
    taken_back: usize,
    /// When the last one began or ended.
    stirred: Instant,
}

impl Streams {
    pub(super) fn new() -> Self {
        let counts = Counts {
            in_flight: BTreeMap::new(),
            begun: 0,
            answered: 0,
            taken_back: 0,
            stirred: Instant::now(),
        };
        Self { counts: Mutex::new(counts), taken_back: Notify::new() }
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> Stream {
        let mut counts = lock(&self.counts);
        let (number, is_alone) = (counts.begun, counts.in_flight.is_empty());
        counts.begun += 1;
        counts.stirred = Instant::now();
        let began = counts.stirred;
        counts.in_flight.insert(number, began);
        Stream { of: Arc::clone(self), number, is_alone, is_answered: false }
    }

    /// Whether a request is not yet answered, or its answer not taken.
    pub(super) fn are_some(&self) -> bool {
        !lock(&self.counts).in_flight.is_empty()
    }

    /// Begins the time anew that the connection may be quiet.
    pub(super) fn stir(&self) {
        lock(&self.counts).stirred = Instant::now();
    }

    /// Ready when nothing has begun or ended for as long as `idle`, or the oldest request in flight has been so for as long
    /// as `stalled`, whatever is done beside it.
    pub(super) async fn quiet(&self, idle: Duration, stalled: Duration) {
        loop {
            let until = {
                let counts = lock(&self.counts);
                let oldest = counts.in_flight.values().next();
                oldest.map_or(counts.stirred + idle, |began| *began + stalled)
            };
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// Ready when more than `limit` requests were taken back before they were answered, and fewer answered.
    pub(super) async fn too_many_taken_back(&self, limit: usize) {
        loop {
            let told = self.taken_back.notified();
            let is_too_many = {
                let counts = lock(&self.counts);
                counts.taken_back > limit.max(counts.answered)
            };
            if is_too_many {
                return;
            }
            told.await;
        }
    }
}

/// A request, until its answer is taken or it is taken back.
pub(super) struct Stream {
    of: Arc<Streams>,
    number: u64,
    /// Whether it is the only one in flight as it begins, so that it has the place of its connection.
    pub(super) is_alone: bool,
    is_answered: bool,
}

impl Stream {
    /// The answer's body, with what it holds until it is taken.
    pub(super) fn answered(self, body: Full<Bytes>, place: Option<Place>) -> Held {
        let mut held = Held { body, stream: self, _place: place };
        held.note();
        held
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut counts = lock(&self.of.counts);
        counts.in_flight.remove(&self.number);
        counts.stirred = Instant::now();
        if !self.is_answered {
            counts.taken_back += 1;
            self.of.taken_back.notify_one();
        }
    }
}

/// A body that holds the place of its request.
pub(super) struct Held {
    body: Full<Bytes>,
    stream: Stream,
    _place: Option<Place>,
}

impl Held {
    /// An answer counts once it is taken: there is also one for a request whose body broke off as it was taken back.
    fn note(&mut self) {
        if self.body.is_end_stream() && !self.stream.is_answered {
            self.stream.is_answered = true;
            lock(&self.stream.of.counts).answered += 1;
        }
    }
}

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.note();
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The tasks of a connection's requests; they end with it.
#[derive(Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(super) fn spawner(&self) -> Spawner {
        Spawner(Arc::downgrade(&self.0))
    }
}

/// What hyper begins a task with. The tasks hold it too, so that it must not hold them.
#[derive(Clone)]
pub(super) struct Spawner(Weak<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, request: F) {
        let Some(tasks) = self.0.upgrade() else { return };
        let mut tasks = lock(&tasks);
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a request's task did not end by itself");
            }
        }
        tasks.spawn(request);
    }
}

/// What others have done while they had the lock is whole, even if they panicked afterwards.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
