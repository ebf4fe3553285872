//! What the hashing threads and those who wait for them share.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use countersign_metrics::Hashing as Metrics;
use countersign_password::{Hashers, Workspace};

use super::lane::{Cost, Layout};
use super::network::Network;
use super::queue::{Admitted, Queue, Ticket};

/// A password to hash. Who drops it without doing the work has refused it.
pub(super) struct Job {
    pub memory_kib: u64,
    pub work: Work,
}

type Work = Box<dyn FnOnce(&Hashers, &mut Workspace) + Send>;

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    hashers: RwLock<Arc<Hashers>>,
    /// What each worker has by itself.
    pub usual_memory_kib: u64,
    /// Jobs that need more than that, at once.
    odd_at_once: usize,
    workers: usize,
    max_wait: Duration,
    metrics: Metrics,
}

struct State {
    queue: Queue<Job>,
    cost: Cost,
    /// How many workers have a job that needs more memory than they have by themselves.
    odd: usize,
    is_closed: bool,
}

impl Shared {
    pub(super) fn new(hashers: Hashers, layout: &Layout, max_wait: Duration, metrics: Metrics) -> Self {
        Self {
            state: Mutex::new(State { queue: Queue::new(), cost: Cost::default(), odd: 0, is_closed: false }),
            changed: Condvar::new(),
            usual_memory_kib: hashers.memory_kib(None),
            hashers: RwLock::new(Arc::new(hashers)),
            odd_at_once: layout.odd_at_once,
            workers: layout.workers,
            max_wait,
            metrics,
        }
    }

    pub(super) fn hashers(&self) -> Arc<Hashers> {
        Arc::clone(&self.hashers.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_hashers(&self, hashers: Hashers) {
        *self.hashers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(hashers);
    }

    /// Lets a job that comes now wait for its turn, if there is room.
    pub(super) fn admit(&self, network: Network, job: Job, now: Instant) -> Option<Ticket> {
        let mut state = self.state();
        self.turn_away_late(&mut state, now);
        let places = state.cost.places(self.workers, self.max_wait);
        let admitted = state.queue.admit(network, now, job, places);
        self.note_length(&state);
        let Some(Admitted { ticket, pushed_out }) = admitted else {
            self.metrics.rejected.inc();
            return None;
        };
        self.metrics.rejected.inc_by(pushed_out.is_some().into());
        self.changed.notify_one();
        Some(ticket)
    }

    /// Counts one that is refused before it comes to the queue.
    pub(super) fn reject(&self) {
        self.metrics.rejected.inc();
    }

    /// Gives a place back, if no worker has come to it.
    pub(super) fn leave(&self, ticket: Ticket) {
        let mut state = self.state();
        let left = state.queue.remove(ticket);
        self.note_length(&state);
        drop(state);
        drop(left); // its password is wiped while nobody has to wait for that
    }

    /// The next job for a worker, as soon as there is one; `None` at the end.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            let job = self.take(&mut state, Instant::now());
            if job.is_some() || state.is_closed && state.queue.len() == 0 {
                return job;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next job there is at this time.
    #[cfg(test)]
    pub(super) fn next_at(&self, now: Instant) -> Option<Job> {
        self.take(&mut self.state(), now)
    }

    fn take(&self, state: &mut State, now: Instant) -> Option<Job> {
        self.turn_away_late(state, now);
        // For one that asks for more memory than there is now no worker waits: the others go before it.
        let has_room = state.odd < self.odd_at_once;
        let (came, job) = state.queue.next(|job| has_room || !self.is_odd(job))?;
        state.odd += usize::from(self.is_odd(&job));
        self.note_length(state);
        self.metrics.wait.observe((now - came).as_secs_f64());
        Some(job)
    }

    /// Whether a job needs more memory than a worker has by itself.
    pub(super) fn is_odd(&self, job: &Job) -> bool {
        job.memory_kib > self.usual_memory_kib
    }

    /// A worker has given back the memory that an odd job needed.
    pub(super) fn leave_odd(&self) {
        self.state().odd -= 1;
        self.changed.notify_all(); // at the end, those too who have waited for this one alone
    }

    /// Takes note of how long a worker had a job.
    pub(super) fn note(&self, took: Duration) {
        self.metrics.work.observe(took.as_secs_f64());
        self.state().cost.note(took);
    }

    /// Has workers end when nobody waits any more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// Networks that came later go before the tail of one that floods, so that a place does not keep what it promised: who
    /// has waited as long as that is turned away.
    fn turn_away_late(&self, state: &mut State, now: Instant) {
        let Some(until) = now.checked_sub(self.max_wait) else { return };
        while let Some(late) = state.queue.remove_older(until) {
            self.metrics.rejected.inc();
            drop(late);
        }
        self.note_length(state);
    }

    fn note_length(&self, state: &State) {
        self.metrics.queue.set(i64::try_from(state.queue.len()).unwrap_or(i64::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
