//! Times as Django writes them on SQLite: UTC, `YYYY-MM-DD HH:MM:SS[.ffffff]`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rusqlite::types::Type;

/// The column text of a time; microseconds, and none when they are zero, as Python prints them.
pub(crate) fn to_text(time: Timestamp) -> String {
    let format = if time.subsec_microsecond() == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    time.strftime(format).to_string()
}

/// Reads what [`to_text`] or Django wrote into column `index`.
pub(crate) fn from_text(index: usize, text: &str) -> rusqlite::Result<Timestamp> {
    let parse = || text.parse::<DateTime>()?.to_zoned_datetime(TimeZone::UTC).map(|zoned| zoned.timestamp());
    parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}
