//! The clock of the replayer, for tokens it signs and times it compares.

use jiff::Timestamp;

/// Seconds since the Unix epoch, with their fraction.
pub fn unix_now() -> f64 {
    now().as_duration().as_secs_f64()
}

/// The time now.
#[expect(clippy::disallowed_methods, reason = "the server under test is another process with the real clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
