//! What a terminal shows while something goes on.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

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

/// Has the bar count the bytes of a file.
pub fn counts_bytes(bar: &ProgressBar) {
    style(bar, "{wide_bar} {binary_bytes}/{binary_total_bytes}");
}

/// Has the bar count rows.
pub fn counts_rows(bar: &ProgressBar) {
    style(bar, "{wide_bar} {human_pos}/{human_len} rows");
}

fn style(bar: &ProgressBar, template: &str) {
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
}
