//! What a hashing thread does: it takes passwords out of the queue, below the threads that answer requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use countersign_password::Workspace;

use super::shared::Shared;

/// How far below the other threads a hashing thread stands. Where both want the processor, it gets a tenth of what they
/// get, and all that they leave.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Works until the pool is closed and nobody waits any more.
pub(super) fn run(shared: &Shared) {
    step_back();
    let mut workspace = Workspace::default();
    while let Some(job) = shared.next() {
        let began = Instant::now();
        let hashers = shared.hashers();
        let is_odd = shared.is_odd(&job);
        if catch_unwind(AssertUnwindSafe(|| (job.work)(&hashers, &mut workspace))).is_err() {
            tracing::error!("the hashing of a password panicked: an error in Countersign; report it");
            workspace = Workspace::default(); // what it holds is anybody's guess
        }
        if is_odd {
            shared.leave_odd();
        }
        shared.note(began.elapsed());
    }
}

/// On Linux a thread has a priority of its own; elsewhere it is the process's, and stays as it is.
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        let stepped = getpriority_process(None).and_then(|nice| setpriority_process(None, nice + NICE));
        if let Err(error) = stepped {
            tracing::warn!(%error, "hashing threads cannot be put below the others; let the sandbox of the process allow setpriority");
        }
    }
}
