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

struct ServingThread {
    runtime: Handle,
    /// Dropped by us to end it.
    end: Option<oneshot::Sender<()>>,
    /// Dropped by the thread when it has ended.
    ended: mpsc::Receiver<()>,
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

    /// Ends them, and waits as long for those that are at work.
    fn end(&mut self, patience: Duration) {
        for thread in &mut self.0 {
            thread.end = None;
        }
        let until = Instant::now() + patience;
        for thread in &self.0 {
            // Never a message: it has ended, or the time is up.
            let _ = thread.ended.recv_timeout(until.saturating_duration_since(Instant::now()));
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
        Ok(Self { runtime: handle, end: Some(end), ended })
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
        let (mut held, holds) = oneshot::channel::<()>();
        let forever = async move { drop((std::future::pending::<()>().await, holds)) };
        let mut left = JoinSet::new();
        left.spawn_on(forever, &threads.idlest());
        drop(threads);
        held.closed().await;
    }

    #[tokio::test]
    async fn one_that_does_not_come_back_is_not_waited_for() {
        let mut threads = ServingThreads::start(1).expect("it starts");
        let (begun, begins) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let stuck = async move {
            let _ = begun.send(());
            let _ = released.recv();
        };
        let mut left = JoinSet::new();
        left.spawn_on(stuck, &threads.idlest());
        begins.await.expect("it has begun");
        threads.end(Duration::ZERO);
        drop(release);
    }
}
