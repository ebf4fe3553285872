//! What a terminal shows while something goes on whose length is not known.

use std::time::Duration;

use indicatif::ProgressBar;

const FRAME: Duration = Duration::from_millis(120);

/// Does the work, and shows `what` it is on standard error meanwhile, if that is a terminal. Nothing is left of it.
pub fn meanwhile<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.tick(); // what ends before the first frame was to come is shown as well
    spinner.enable_steady_tick(FRAME);
    let done = work();
    spinner.finish_and_clear();
    done
}
