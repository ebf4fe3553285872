//! The log: pretty on a terminal, JSON lines otherwise, unless `LOG_FORMAT` says which; on standard error, so that results can be piped.

mod lines;

use std::io::IsTerminal;

use countersign_traces::{TARGET as TRACES, Traces};
use tracing::Metadata;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::Reader;
use crate::sources::{SettingError, Sources};

/// What lets the log be told to say more or less.
pub type Handle = reload::Handle<EnvFilter, Registry>;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What writes the lines of a server. They are out when it is dropped.
pub type Guard = WorkerGuard;

/// Begins to log what `LOG` says, each line at once.
pub fn start(sources: &Sources) -> Result<Handle, SettingError> {
    begin(sources, BoxMakeWriter::new(std::io::stderr), None)
}

/// The same for a server, whose lines another thread writes, and whose spans go to `traces`.
pub fn start_serving(sources: &Sources, traces: Option<&Traces>) -> Result<(Handle, Guard), SettingError> {
    let (writer, guard) = lines::to(std::io::stderr(), |lost| {
        tracing::warn!(
            lines = lost,
            "lines of the log were lost, as whoever reads it is too slow; let it go to a file, or set LOG to say less"
        );
    });
    Ok((begin(sources, BoxMakeWriter::new(writer), traces)?, guard))
}

fn begin(sources: &Sources, writer: BoxMakeWriter, traces: Option<&Traces>) -> Result<Handle, SettingError> {
    let (filter, handle) = reload::Layer::new(filter(sources)?);
    let filter = filter.and(filter_fn(is_for_people));
    let lines = fmt::layer().with_writer(writer).with_ansi(has_colours());
    // One span at the most, which is the request's: a list of them would say it twice.
    let lines =
        if is_json(sources) { lines.json().with_span_list(false).boxed() } else { lines.compact().boxed() };
    let log = tracing_subscriber::registry().with(lines.with_filter(filter));
    // A layer that is none would want every span.
    let started = match traces {
        Some(traces) => log.with(traces.layer()).try_init(),
        None => log.try_init(),
    };
    started.map_err(|error| SettingError(format!("LOG: {error}")))?;
    Ok(handle)
}

/// What a collector is told is not for the log.
fn is_for_people(metadata: &Metadata<'_>) -> bool {
    metadata.target() != TRACES
}

fn is_json(sources: &Sources) -> bool {
    // What is no text is refused when all settings are checked.
    let format = Reader(sources).text("LOG_FORMAT").unwrap_or_default().trim();
    format == "json" || (format != "pretty" && !std::io::stderr().is_terminal())
}

/// Whether the log goes to a terminal that has colours, and nobody has asked for none (<https://no-color.org>).
fn has_colours() -> bool {
    let said = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    std::io::stderr().is_terminal()
        && said("NO_COLOR").is_none()
        && said("TERM").is_some_and(|term| term != "dumb")
}

/// Whether somebody is likely to look at the log as it is written.
pub fn is_watched(sources: &Sources) -> bool {
    std::io::stderr().is_terminal() && !is_json(sources)
}

/// What `LOG` says.
pub fn filter(sources: &Sources) -> Result<EnvFilter, SettingError> {
    let text = Reader(sources).text("LOG")?;
    let refused = |why: String| {
        let fix = "use off, error, warn, info, debug or trace, and for a part of the program TARGET=LEVEL";
        SettingError(format!("LOG: {why}; {fix}"))
    };
    if let Some(word) = text.split(',').map(str::trim).find(|word| is_no_level(word)) {
        return Err(refused(match nearest_level(word) {
            Some(level) => format!("{word:?} is no level (did you mean {level}?)"),
            None => format!("{word:?} is no level"),
        }));
    }
    EnvFilter::try_new(text).map_err(|error| refused(error.to_string()))
}

/// By itself the filter takes such a word for a part of the program, and says nothing of all others.
fn is_no_level(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_alphanumeric() || "_:-".contains(c))
        && word.parse::<LevelFilter>().is_err()
}

fn nearest_level(word: &str) -> Option<&'static str> {
    let distance = |level: &&str| strsim::damerau_levenshtein(level, &word.to_ascii_lowercase());
    LEVELS.into_iter().min_by_key(distance).filter(|level| distance(level) <= 2)
}
