//! What every subcommand starts from: settings, the open store and the use-cases; and how it ends.

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::time::Duration;

use countersign_auth::{
    Auth, Clock, Error as AuthError, KeyRing, KeyRingError, Rules, StartError, UserError,
};
use countersign_store::{MoveError, Store, StoreError};
use countersign_traces::{Refused, Traces};
use serde_json::Value;
use tokio::time::Instant;

use crate::adopt;
use crate::config::{Config, Files};
use crate::sources::{SettingError, Sources};
use crate::{cli, logging, settings, show_config};

/// Between the first attempts to reach a database; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How long the end waits for what nobody waits for any more, such as the look-up of a name that takes as long as it likes.
const LAST_THREADS: Duration = Duration::from_secs(2);

/// Why a subcommand failed, in a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A use-case could not be carried out.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The use-cases could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The keys cannot be used or changed.
    #[error(transparent)]
    KeyRing(#[from] KeyRingError),
    /// Accounts cannot be moved.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// A check has found something that is grave enough; it is printed.
    #[error("the check has found something")]
    Found,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Refused { field, errors } => {
                let sentences: Vec<_> = errors.iter().map(countersign_http::sentence).collect();
                Self::Other(format!("{field}: {} Choose another {field}.", sentences.join(" ")))
            }
            UserError::Auth(error) => Self::Auth(error),
            UserError::NotFound(_) | UserError::TwoAddresses => Self::Other(error.to_string()),
        }
    }
}

/// Reads and checks the settings, and begins to log.
pub fn configure(files: Files) -> Result<Config, Failure> {
    Ok(configure_in_full(files)?.config)
}

/// Settings, what they were read from, and what lets the log be changed.
pub struct Configured {
    /// Each setting, checked.
    pub config: Config,
    /// Where they come from.
    pub sources: Sources,
}

/// The same, with all that was made on the way.
pub fn configure_in_full(files: Files) -> Result<Configured, Failure> {
    configure_from(read_sources()?, files)
}

/// The same, from what was said already.
pub fn configure_from(sources: Sources, files: Files) -> Result<Configured, Failure> {
    let config = Config::from_sources(&sources, files)?;
    logging::start(&sources)?;
    warn_of(&config);
    Ok(Configured { config, sources })
}

/// What a server begins with.
pub struct Serving {
    /// Each setting, checked.
    pub config: Config,
    /// What the audit log has of the settings.
    pub started: Vec<(&'static str, String)>,
    /// What lets the log be changed.
    pub log: logging::Handle,
    /// What sends traces, if anybody wants them.
    pub traces: Option<Traces>,
    /// Dropped last: what the others say at their end is in the log.
    pub lines: logging::Guard,
}

/// The same for a server.
pub fn configure_to_serve(sources: &Sources) -> Result<Serving, Failure> {
    let mut config = Config::from_sources(sources, Files::MayBeMade)?;
    let refused = |Refused(why)| sources.located(SettingError(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {why}")));
    let traces = config.traces.take().map(Traces::start).transpose().map_err(refused)?;
    let (log, lines) = logging::start_serving(sources, traces.as_ref())?;
    warn_of(&config);
    Ok(Serving { config, started: show_config::summary(sources), log, traces, lines })
}

fn warn_of(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// What is said of settings at this moment; nothing is checked yet.
pub fn read_sources() -> Result<Sources, Failure> {
    read_sources_with(None)
}

/// The same, with this text for the `.env` of the working directory.
pub fn read_sources_with(dotenv: Option<&str>) -> Result<Sources, Failure> {
    let sources = read_all_sources(dotenv)?;
    sources.refuse_unknown()?;
    Ok(sources)
}

/// The same, whatever else stands beside it.
pub fn read_all_sources(dotenv: Option<&str>) -> Result<Sources, Failure> {
    let directory = std::env::current_dir().map_err(|error| {
        Failure::Other(format!("no working directory: {error}; change into one that is there"))
    })?;
    refuse_settings_that_are_no_text()?;
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let environment = std::env::vars_os().filter_map(text).collect();
    Ok(Sources::read(&directory, cli::config_file().as_deref(), &environment, dotenv)?)
}

/// A `SECRET_KEY` in other bytes would otherwise be taken for none.
fn refuse_settings_that_are_no_text() -> Result<(), SettingError> {
    let is_text = |name: &str| !matches!(std::env::var(name), Err(std::env::VarError::NotUnicode(_)));
    match settings::names().find(|name| !is_text(name)) {
        Some(name) => Err(SettingError(format!("{name} is not UTF-8 in the environment; correct it"))),
        None => Ok(()),
    }
}

/// The use-cases on the configured database.
pub async fn open(config: Config) -> Result<Auth, Failure> {
    let store = Store::open_for(&config.database, &config.pool, &config.user_model).await?;
    start(config, store).await
}

/// The same for a server, which waits for a database that cannot be reached yet.
pub async fn open_patiently(config: Config) -> Result<Auth, Failure> {
    let until = Instant::now() + config.start_wait;
    let mut pause = FIRST_PAUSE;
    let store = loop {
        match Store::open_for(&config.database, &config.pool, &config.user_model).await {
            Err(error @ (StoreError::Unreachable { .. } | StoreError::TakesNoWrites(_)))
                if Instant::now() < until =>
            {
                tracing::warn!(%error, "trying again in {pause:?}");
                tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            opened => break opened?,
        }
    };
    // Of a Django's tables nothing but their names has been looked at.
    if store.is_made_by_django()
        && let Some(refusal) = adopt::refusal(&config).await?
    {
        return Err(Failure::Other(refusal));
    }
    Box::pin(start(config, store)).await // boxed, as it is large
}

async fn start(config: Config, store: Store) -> Result<Auth, Failure> {
    if let Some(source) = store.find_unfinished_import().await? {
        return Err(Failure::Other(format!(
            "the import from {source} was not finished, and accounts are missing; run `countersign import` with it again"
        )));
    }
    let django_peer = config.django_peer.unwrap_or_else(|| store.is_made_by_django());
    let rules = Rules { django_peer, ..config.rules };
    Ok(Auth::start(store, config.hashers, config.keys, config.policy, rules, Clock::System).await?)
}

/// The database alone, for what needs no keys.
pub async fn open_store(config: &Config) -> Result<Store, Failure> {
    Ok(Store::open_for(&config.database, &config.pool, &config.user_model).await?)
}

/// The key ring alone, which can be changed even when a key cannot be used; and whether Django made the database.
pub async fn open_key_ring(config: Config) -> Result<(KeyRing, bool), Failure> {
    let store = Store::open_for(&config.database, &config.pool, &config.user_model).await?;
    let made_by_django = store.is_made_by_django();
    Ok((KeyRing::new(store, config.keys, Clock::System), made_by_django))
}

/// Runs a subcommand's work to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::Other(format!(
            "the runtime cannot start: {error}; look at the limits on threads and open files"
        ))
    })?;
    let ended = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_THREADS);
    ended
}

/// Prints a result: `json` for programs, otherwise `sentence`, if there is anything to say, for people.
pub fn report(as_json: bool, json: &Value, sentence: &str) -> Result<(), Failure> {
    match (as_json, sentence) {
        (true, _) => print(format!("{json}\n").as_bytes()),
        (false, "") => Ok(()),
        (false, sentence) => print(format!("{sentence}\n").as_bytes()),
    }
}

/// Prints a result. A reader that has gone away (`countersign config | head -1`) is no failure, a full disk is.
pub fn print(text: &[u8]) -> Result<(), Failure> {
    print_part(text).map(|_| ())
}

/// Prints a part of a result, and tells whether somebody reads on.
pub fn print_part(text: &[u8]) -> Result<bool, Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Other(format!(
            "the result cannot be written: {error}; make room, or let it go elsewhere"
        ))),
    }
}

/// Says something on the way, which nobody has to hear.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_end_does_not_wait_for_a_thread_that_never_comes_back() {
        let (_held, never) = mpsc::channel::<()>();
        let (end, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let outcome = block_on(async {
                drop(tokio::task::spawn_blocking(move || never.recv()));
                Ok(())
            });
            end.send(outcome.is_ok())
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(true));
    }
}
