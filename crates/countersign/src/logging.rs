//! The log: pretty on a terminal, JSON lines otherwise, unless `LOG_FORMAT` says which; on standard error, so that results can be piped.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::sources::{Raw, SettingError, Sources};

/// What lets the log be told to say more or less.
pub type Handle = reload::Handle<EnvFilter, Registry>;

/// Begins to log what `LOG` says.
pub fn start(sources: &Sources) -> Result<Handle, SettingError> {
    let (filter, handle) = reload::Layer::new(filter(sources)?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let format = match sources.get("LOG_FORMAT") {
        Some(Raw::Text(text)) => text.trim(),
        _ => "auto",
    };
    let is_json = format == "json" || (format != "pretty" && !std::io::stderr().is_terminal());
    // One span at the most, which is the request's: a list of them would say it twice.
    let lines = if is_json { lines.json().with_span_list(false).boxed() } else { lines.compact().boxed() };
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    started.map_err(|error| SettingError(format!("LOG: {error}")))?;
    Ok(handle)
}

/// What `LOG` says.
pub fn filter(sources: &Sources) -> Result<EnvFilter, SettingError> {
    let directives = match sources.get("LOG") {
        Some(Raw::Text(text)) => text.as_str(),
        _ => "info",
    };
    EnvFilter::try_new(directives)
        .map_err(|error| SettingError(format!("LOG: {error}; use error, warn, info, debug or trace")))
}
