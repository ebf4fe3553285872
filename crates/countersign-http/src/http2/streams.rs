//! The requests of one HTTP/2 connection: how many there are, how they ended, and the tasks that answer them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::connection::Beside;
use crate::seats::Eviction;

/// What is known of a connection's requests.
pub(super) struct Streams {
    counts: Mutex<Counts>,
    /// They hold us, so that we must not hold them.
    tasks: Weak<Mutex<JoinSet<()>>>,
    taken_back: Notify,
}

struct Counts {
    /// Those in flight, by their numbers.
    in_flight: BTreeMap<u64, Flight>,
    begun: u64,
    answered: usize,
    taken_back: usize,
    /// When the last one began or ended.
    stirred: Instant,
}

struct Flight {
    began: Instant,
    /// What answers it, as soon as that is begun.
    task: Option<AbortHandle>,
}

impl Streams {
    pub(super) fn of(tasks: &Tasks) -> Self {
        let counts = Counts {
            in_flight: BTreeMap::new(),
            begun: 0,
            answered: 0,
            taken_back: 0,
            stirred: Instant::now(),
        };
        Self { counts: Mutex::new(counts), tasks: Arc::downgrade(&tasks.0), taken_back: Notify::new() }
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> Stream {
        let mut counts = lock(&self.counts);
        let (number, is_alone) = (counts.begun, counts.in_flight.is_empty());
        counts.begun += 1;
        counts.stirred = Instant::now();
        let began = counts.stirred;
        counts.in_flight.insert(number, Flight { began, task: None });
        let is_evicted = (!is_alone).then(Arc::default);
        Stream { of: Arc::clone(self), number, is_alone, is_answered: false, is_evicted }
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
                oldest.map_or(counts.stirred + idle, |flight| flight.began + stalled)
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
    /// Of one beside others: whether it was ended by us, for another's sake.
    is_evicted: Option<Arc<AtomicBool>>,
}

impl Stream {
    /// What ends the task that answers it, if it is one beside others. Whoever begins a task has the lock until it is known.
    pub(super) fn eviction(&self) -> Option<Eviction> {
        let is_ours = self.is_evicted.clone()?;
        let tasks = self.of.tasks.upgrade()?;
        let _are_known = lock(&tasks);
        let task = lock(&self.of.counts).in_flight.get(&self.number)?.task.clone()?;
        Some(Eviction { task, is_ours })
    }

    /// The answer's body, with what it holds until it is taken.
    pub(super) fn answered(self, body: Full<Bytes>, beside: Option<Beside>) -> Held {
        let mut held = Held { body, stream: self, _beside: beside };
        held.note();
        held
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut counts = lock(&self.of.counts);
        counts.in_flight.remove(&self.number);
        counts.stirred = Instant::now();
        let is_evicted = self.is_evicted.as_ref().is_some_and(|is_evicted| is_evicted.load(Ordering::SeqCst));
        if !self.is_answered && !is_evicted {
            counts.taken_back += 1;
            self.of.taken_back.notify_one();
        }
    }
}

/// A body that holds the place of its request.
pub(super) struct Held {
    body: Full<Bytes>,
    stream: Stream,
    _beside: Option<Beside>,
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

/// What hyper begins a task with, for each request as soon as it has told us of it.
#[derive(Clone)]
pub(super) struct Spawner(Arc<Streams>);

impl Spawner {
    pub(super) fn of(streams: &Arc<Streams>) -> Self {
        Self(Arc::clone(streams))
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, request: F) {
        let Some(tasks) = self.0.tasks.upgrade() else { return };
        let mut tasks = lock(&tasks);
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended
                && !error.is_cancelled()
            {
                tracing::error!(%error, "a request's task did not end by itself: an error in Countersign; report it");
            }
        }
        let task = tasks.spawn(request);
        if let Some(mut last) = lock(&self.0.counts).in_flight.last_entry() {
            last.get_mut().task = Some(task);
        }
    }
}

/// What others have done while they had the lock is whole, even if they panicked afterwards.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
