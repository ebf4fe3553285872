//! The threads that connections are served on, each with a runtime of its own. A connection stays on the thread that it was
//! given to: what it works with stays in the cache of one core, and nobody is woken to take over half of the work.

use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads that serve connections until this is dropped, which ends what is left on them. By default there are none: then the
/// runtime on which [`serve`](crate::serve) is called serves them all.
#[derive(Default)]
pub struct ServingThreads(Vec<ServingThread>);

/// How long the end waits for threads that do not come back, as from a disk that does not answer.
const LAST_WORK: Duration = Duration::from_secs(2);
/// What a runtime takes of file descriptors: two for epoll, one to be woken by, one to hear of signals.
const DESCRIPTORS: usize = 4;

struct ServingThread {
    runtime: Handle,
    /// Dropped by us to end it.
    _end: oneshot::Sender<()>,
    /// Dropped by the thread when it has ended.
    ended: mpsc::Receiver<()>,
}

/// What tells whether serving threads go on.
pub struct Pulse(Vec<Handle>);

impl Pulse {
    /// Ready when each of them has come to something new; not while one is kept by what it has begun.
    pub async fn felt(&self) {
        for runtime in &self.0 {
            let _ = runtime.spawn(async {}).await; // one that has ended is kept by nothing
        }
    }
}

impl ServingThreads {
    /// Starts as many.
    ///
    /// # Errors
    ///
    /// When the system has no thread or no file descriptor left for them.
    pub fn start(count: usize) -> io::Result<Self> {
        (1..=count).map(ServingThread::start).collect::<io::Result<_>>().map(Self)
    }

    /// The runtime that has least to do.
    pub(crate) fn idlest(&self) -> Handle {
        let runtimes = self.0.iter().map(|thread| &thread.runtime);
        let idlest = runtimes.min_by_key(|runtime| runtime.metrics().num_alive_tasks());
        idlest.cloned().unwrap_or_else(Handle::current)
    }

    /// What tells whether they go on.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse(self.0.iter().map(|thread| thread.runtime.clone()).collect())
    }

    /// File descriptors that they take.
    pub(crate) fn descriptors(&self) -> usize {
        self.0.len() * DESCRIPTORS
    }

    /// Ends them, and waits as long for those that are at work.
    fn end(&mut self, patience: Duration) {
        let ended: Vec<_> = self.0.drain(..).map(|thread| thread.ended).collect();
        let until = Instant::now() + patience;
        for ended in ended {
            // Never a message: it has ended, or the time is up.
            let _ = ended.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }
}

impl ServingThread {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, to_end) = oneshot::channel();
        let (ending, ended) = mpsc::channel();
        std::thread::Builder::new().name(format!("serving-{number}")).spawn(move || {
            let _ending = ending;
            let _ = runtime.block_on(to_end);
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, _end: end, ended })
    }
}

impl Drop for ServingThreads {
    fn drop(&mut self) {
        self.end(LAST_WORK);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn who_comes_is_given_to_the_thread_with_fewest_and_without_threads_stays() {
        let threads = ServingThreads::start(2).expect("they start");
        let mut there = JoinSet::new();
        let [first, second] = [(); 2].map(|()| {
            let idlest = threads.idlest();
            there.spawn_on(std::future::pending::<()>(), &idlest);
            idlest.id()
        });
        assert_ne!(first, second);
        there.abort_all();
        while there.join_next().await.is_some() {}
        assert_ne!(threads.idlest().id(), Handle::current().id());
        assert_eq!(ServingThreads::default().idlest().id(), Handle::current().id());
    }

    #[tokio::test]
    async fn what_is_left_on_them_ends_with_them() {
        let threads = ServingThreads::start(2).expect("they start");
        let (held, holds) = oneshot::channel::<()>();
        let forever = async move { drop((std::future::pending::<()>().await, holds)) };
        let mut left = JoinSet::new();
        left.spawn_on(forever, &threads.idlest());
        drop(threads);
        assert!(held.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_come_back_is_not_waited_for_and_has_no_pulse() {
        let mut threads = ServingThreads::start(2).expect("they start");
        let pulse = threads.pulse();
        pulse.felt().await;
        let (begun, begins) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let stuck = async move {
            let _ = begun.send(());
            let _ = released.recv();
        };
        let mut left = JoinSet::new();
        left.spawn_on(stuck, &threads.idlest());
        begins.await.expect("it has begun");
        assert!(tokio::time::timeout(Duration::from_secs(1), pulse.felt()).await.is_err());
        threads.end(Duration::ZERO);
        drop(release);
        pulse.felt().await;
    }
}
