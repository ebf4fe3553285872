//! The hashing workers: password work runs on threads of its own, as many as cores, behind a bounded queue, so that a
//! storm of logins leaves the rest of the service alone and memory stays at workers × the cost of one hash.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use countersign_domain::{Password, PasswordHash};
use countersign_metrics::Hashing as Metrics;
use countersign_password::{Hashers, Salt, Verdict, Workspace};
use countersign_traces::span;
use tokio::sync::oneshot;
use tracing::Span;

use crate::Error;

/// Passwords that may wait. At the default cost, about 15 ms of one core each, the last of them waits about 4 s on two
/// cores; beyond it clients are asked to come back.
const QUEUE_LENGTH: usize = 512;

/// Threads that hash passwords. Dropping it ends them and waits for that: what still waits for an answer is hashed first,
/// what nobody waits for any more costs nothing.
pub struct HashingPool {
    queue: Option<SyncSender<Job>>,
    workers: Vec<JoinHandle<()>>,
    work_done: Arc<AtomicU64>,
    metrics: Metrics,
}

type Job = Box<dyn FnOnce(&Hashers, &mut Workspace) + Send>;

impl HashingPool {
    /// Starts one worker per core; all of them, or none and the reason.
    pub fn start(hashers: Hashers, metrics: Metrics) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE_LENGTH);
        let shared = (Arc::new(hashers), Arc::new(Mutex::new(jobs)));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let spawn = |number| {
            let (hashers, jobs) = shared.clone();
            let thread = std::thread::Builder::new().name(format!("hashing-{number}"));
            thread.spawn(move || work(&hashers, &jobs))
        };
        // At an error the queue is dropped, which ends those that have started.
        let workers = (0..cores).map(spawn).collect::<std::io::Result<_>>()?;
        Ok(Self { queue: Some(queue), workers, work_done: Arc::default(), metrics })
    }

    /// Work done so far, as [`Workspace::work`] counts it, answered passwords included: for a metric, and to compare
    /// what two logins cost.
    #[must_use]
    pub fn work_done(&self) -> u64 {
        self.work_done.load(Ordering::SeqCst)
    }

    /// A new hash of `password`.
    pub async fn make(&self, password: Password) -> Result<PasswordHash, Error> {
        self.run(move |hashers, workspace| {
            PasswordHash::new(hashers.make(password.expose(), &new_salt(), workspace))
        })
        .await
    }

    /// Whether `password` is the one `stored` was made of, and the upgrade to store if it is and `stored` is out of date.
    pub async fn verify(
        &self,
        password: Password,
        stored: PasswordHash,
    ) -> Result<(Verdict, Option<PasswordHash>), Error> {
        self.run(move |hashers, workspace| {
            let verdict = hashers.verify(password.expose(), stored.as_str(), workspace);
            let upgrade = (verdict.is_correct() && verdict.must_update)
                .then(|| PasswordHash::new(hashers.make(password.expose(), &new_salt(), workspace)));
            (verdict, upgrade)
        })
        .await
    }

    /// The work of a verification, for a user who does not exist.
    pub async fn burn(&self, password: Password) -> Result<(), Error> {
        self.run(move |hashers, workspace| hashers.burn(password.expose(), workspace)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hashers, &mut Workspace) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let (work_done, metrics) = (Arc::clone(&self.work_done), self.metrics.clone());
        let came = Instant::now();
        let request = Span::current();
        let waiting = span::hashing_wait(&request);
        let job: Job = Box::new(move |hashers, workspace| {
            metrics.queue.dec();
            drop(waiting);
            // A client that hung up meanwhile frees its place.
            if !answer.is_closed() {
                let (before, began) = (workspace.work(), Instant::now());
                metrics.wait.observe((began - came).as_secs_f64());
                let working = span::hashing_work(&request);
                let result = work(hashers, workspace);
                drop(working);
                work_done.fetch_add(workspace.work() - before, Ordering::SeqCst);
                metrics.work.observe(began.elapsed().as_secs_f64());
                drop(answer.send(result));
            }
        });
        let queue = self.queue.as_ref().ok_or(Error::Overloaded)?;
        self.metrics.queue.inc(); // before a worker can take it out
        if queue.try_send(job).is_err() {
            self.metrics.queue.dec();
            self.metrics.rejected.inc();
            return Err(Error::Overloaded);
        }
        answered.await.map_err(|_| Error::Overloaded)
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        self.queue = None;
        for worker in self.workers.drain(..) {
            drop(worker.join()); // an error would be a panic, which the worker has caught
        }
    }
}

fn work(hashers: &Hashers, jobs: &Mutex<Receiver<Job>>) {
    let mut workspace = Workspace::default();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| job(hashers, &mut workspace))).is_err() {
            tracing::error!("the hashing of a password panicked");
            workspace = Workspace::default(); // what it holds is anybody's guess
        }
    }
}

fn new_salt() -> Salt {
    let mut random = [0; 32];
    getrandom::fill(&mut random).expect("the operating system has randomness");
    Salt::from_random(random)
}

#[cfg(test)]
mod tests {
    use countersign_password::{Limits, Preferred};

    use super::*;

    #[test]
    fn a_job_that_panics_fails_alone() {
        let cheap = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
        let hashers = Hashers::new(cheap, &[], Limits::default()).expect("they are good");
        let pool = HashingPool::start(hashers, countersign_metrics::Metrics::default().hashing)
            .expect("there is room for threads");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        for _ in 0..2 * pool.workers.len() {
            let panicked = runtime.block_on(pool.run(|_, _| panic!("as the test wants")));
            assert!(matches!(panicked, Err::<(), _>(Error::Overloaded)));
        }
        assert!(pool.workers.iter().all(|worker| !worker.is_finished()));
        runtime.block_on(pool.run(|_, _| ())).expect("somebody still works");
    }
}
