//! The hashing lane: password work runs on threads of its own, behind a bounded queue in which networks take turns, so
//! that a storm of logins leaves the rest of the service alone, keeps nobody else out, and takes no more memory than was
//! said at the start.

mod lane;
mod network;
mod queue;
mod shared;
mod worker;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use countersign_domain::{Password, PasswordHash};
use countersign_metrics::Hashing as Metrics;
use countersign_password::{Hashers, Salt, Verdict, Workspace};
use countersign_traces::span;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::Span;

pub use self::lane::Lane;
pub(crate) use self::network::Network;
use self::shared::{Job, Shared};
use crate::{Error, StartError};

/// Passwords that are longer than this are few in the lane: everybody else's together take a few MiB.
const USUAL_PASSWORD_BYTES: usize = 1024;
/// So few. One may be as long as a body.
const LONG_PASSWORDS: usize = 32;

/// Threads that hash passwords. Dropping it ends them and waits for that: what still waits for an answer is hashed first,
/// what nobody waits for any more has left.
pub struct HashingPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    work_done: Arc<AtomicU64>,
    long_passwords: Arc<Semaphore>,
    /// What a worker may need for what turns out to be common.
    memory_kib: u64,
}

impl HashingPool {
    /// Starts the workers; all of them, or none and the reason. `hashers` know what is common already.
    pub(crate) fn start(hashers: Hashers, lane: &Lane, metrics: Metrics) -> Result<Self, StartError> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let layout = lane
            .lay_out(cores, hashers.memory_kib(None), hashers.max_memory_kib())
            .map_err(StartError::Memory)?;
        let hashers = hashers.within(layout.odd_memory_kib);
        let workers = layout.workers;
        let shared = Arc::new(Shared::new(hashers, &layout, lane.max_wait, metrics));
        let mut pool = Self {
            memory_kib: if lane.memory_limit.is_some() { shared.usual_memory_kib } else { u64::MAX },
            shared,
            workers: Vec::new(),
            work_done: Arc::default(),
            long_passwords: Arc::new(Semaphore::new(LONG_PASSWORDS)),
        };
        for number in 0..workers {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("hashing-{number}"));
            // At an error the pool is dropped, which ends those that have started.
            pool.workers.push(thread.spawn(move || worker::run(&shared))?);
        }
        Ok(pool)
    }

    /// Work done so far, as [`Workspace::work`] counts it, answered passwords included: for a metric, and to compare
    /// what two logins cost.
    #[must_use]
    pub fn work_done(&self) -> u64 {
        self.work_done.load(Ordering::SeqCst)
    }

    /// Has refusals cost what hashes like these do, within the memory that the workers have.
    pub(crate) fn know(&self, sample: &[PasswordHash]) {
        let hashers = self.shared.hashers();
        let knowing = hashers.knowing(sample.iter().map(PasswordHash::as_str), self.memory_kib);
        if !knowing.work_of_a_refusal().eq(hashers.work_of_a_refusal()) {
            tell(&knowing);
            self.shared.set_hashers(knowing);
        }
    }

    /// A new hash of `password`.
    pub(crate) async fn make(&self, from: Network, password: Password) -> Result<PasswordHash, Error> {
        let room = self.room_for(&password)?;
        self.run(from, None, move |hashers, workspace| {
            let _room = room;
            PasswordHash::new(hashers.make(password.expose(), &new_salt(), workspace))
        })
        .await
    }

    /// Whether `password` is the one `stored` was made of, and the upgrade to store if it is and `stored` is out of date.
    /// Who is refused in any case is refused for the work of a wrong password, and gets no upgrade.
    pub(crate) async fn verify(
        &self,
        from: Network,
        password: Password,
        stored: PasswordHash,
        is_refused: bool,
    ) -> Result<(Verdict, Option<PasswordHash>), Error> {
        let (hash, room) = (stored.clone(), self.room_for(&password)?);
        self.run(from, Some(&hash), move |hashers, workspace| {
            let _room = room;
            let (password, stored) = (password.expose(), stored.as_str());
            if is_refused {
                return (hashers.verify_in_vain(password, stored, workspace), None);
            }
            let verdict = hashers.verify(password, stored, workspace);
            let upgrade = (verdict.is_correct() && verdict.must_update)
                .then(|| PasswordHash::new(hashers.make(password, &new_salt(), workspace)));
            (verdict, upgrade)
        })
        .await
    }

    /// The work of a refusal, for a user who does not exist.
    pub(crate) async fn burn(&self, from: Network, password: Password) -> Result<(), Error> {
        let room = self.room_for(&password)?;
        self.run(from, None, move |hashers, workspace| {
            let _room = room;
            hashers.burn(password.expose(), workspace);
        })
        .await
    }

    /// The right to have a long password wait; none is needed for one of usual length.
    fn room_for(&self, password: &Password) -> Result<Option<OwnedSemaphorePermit>, Error> {
        if password.expose().len() <= USUAL_PASSWORD_BYTES {
            return Ok(None);
        }
        let room = Arc::clone(&self.long_passwords).try_acquire_owned();
        room.map(Some).map_err(|_| {
            self.shared.reject();
            Error::Overloaded
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        from: Network,
        stored: Option<&PasswordHash>,
        work: impl FnOnce(&Hashers, &mut Workspace) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let work_done = Arc::clone(&self.work_done);
        let request = Span::current();
        let waiting = span::hashing_wait(&request);
        let work = Box::new(move |hashers: &Hashers, workspace: &mut Workspace| {
            drop(waiting);
            let _working = span::hashing_work(&request);
            let before = workspace.work();
            let result = work(hashers, workspace);
            work_done.fetch_add(workspace.work() - before, Ordering::SeqCst);
            drop(answer.send(result));
        });
        let memory_kib = self.shared.hashers().memory_kib(stored.map(PasswordHash::as_str));
        let job = Job { memory_kib, work };
        let ticket = self.shared.admit(from, job, Instant::now()).ok_or(Error::Overloaded)?;
        let _place = Place { shared: &self.shared, ticket };
        answered.await.map_err(|_| Error::Overloaded)
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        self.shared.close();
        for worker in self.workers.drain(..) {
            drop(worker.join()); // an error would be a panic, which the worker has caught
        }
    }
}

/// A place in the queue, which is free again as soon as nobody waits at it.
struct Place<'a> {
    shared: &'a Shared,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.ticket);
    }
}

/// Which hashes refusals are made to cost, so that an operator sees what slows them.
fn tell(hashers: &Hashers) {
    let names = hashers.work_of_a_refusal().map(|(algorithm, work)| format!("{} {work}", algorithm.name()));
    let costs = names.collect::<Vec<_>>().join(", ");
    tracing::info!(%costs, "a refused login costs one hash of each of these");
}

fn new_salt() -> Salt {
    let mut random = [0; 32];
    getrandom::fill(&mut random).expect("the operating system has randomness");
    Salt::from_random(random)
}

#[cfg(test)]
mod tests;
