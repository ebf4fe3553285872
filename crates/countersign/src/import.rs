//! `countersign import`: every account of another database, or of a fixture of Django's, in a fresh database of
//! ours.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use countersign_auth::Clock;
use countersign_store::{
    DatabaseUrl, MoveError, Moved, Prospect, Source, Store, StoreError, UserModel, refuse_in_use,
};
use indicatif::ProgressBar;
use serde_json::json;

use crate::cli::ImportArgs;
use crate::config::{Config, Files};
use crate::program::{Configured, Failure, block_on, configure_in_full, open_key_ring, report};
use crate::progress::{counts_bytes, counts_rows};
use crate::sources::Sources;

/// Copies, or only looks whether everything could be copied.
pub fn run(args: &ImportArgs, as_json: bool) -> Result<(), Failure> {
    let Configured { config, sources } = configure_in_full(Files::NotNeeded)?;
    let database = config.database.to_string();
    let bar = ProgressBar::new(0); // draws on standard error, if that is a terminal
    let copied = block_on(copy(config, &sources, args, &bar));
    bar.finish_and_clear();
    let (moved, warning) = copied?;
    let source = named(&args.source);
    let json = json!({
        "source": source,
        "database": database,
        "dry_run": args.dry_run,
        "resumed": moved.resumed,
        "rows": moved.rows,
        "left_out": moved.left_out,
        "warnings": warning.iter().collect::<Vec<_>>(),
    });
    let headline = match (args.dry_run, moved.resumed) {
        (true, _) => format!("{source} can be imported into {database}; nothing was written:"),
        (false, true) => format!("The import from {source} into {database} was gone on with, and is done:"),
        (false, false) => format!("Imported from {source} into {database}:"),
    };
    let warning = warning.map(|warning| format!("\n{warning}")).unwrap_or_default();
    report(as_json, &json, &format!("{headline}\n{}{warning}", listed(&moved)))
}

async fn copy(
    config: Config,
    sources: &Sources,
    args: &ImportArgs,
    bar: &ProgressBar,
) -> Result<(Moved, Option<String>), Failure> {
    if config.user_model != UserModel::default() {
        return Err(Failure::Other(
            "an import makes a database with Django's own auth_user: leave AUTH_USER_TABLE and USERNAME_FIELD out"
                .to_owned(),
        ))?;
    }
    if database(&args.source)?.is_some_and(|source| is_same(&source, &config.database)) {
        return Err(Failure::Other(format!("{} is DATABASE_URL itself; name another", config.database)));
    }
    let source = open(&args.source, &config, bar).await?;
    bar.set_position(0);
    counts_rows(bar);
    bar.set_length(source.count().await?);
    let now = Clock::System.now();
    if args.dry_run {
        refuse_unless_fresh(&config).await?;
        return Ok((source.copy_into(None, now, |rows| bar.inc(rows)).await?, None));
    }
    refuse_in_use(&config.database, &config.pool).await.map_err(|error| match error {
        StoreError::InUse => Failure::Other(format!(
            "{} is in use: stop the server, so that nobody registers while accounts arrive",
            config.database
        )),
        other => other.into(),
    })?;
    let config = Config::from_sources(sources, Files::MadeTogether)?; // nothing is made before
    let store = Store::open(&config.database, &config.pool).await?;
    let moved = source.copy_into(Some(&store), now, |rows| bar.inc(rows)).await?;
    let keys = open_key_ring(config).await?.0.check().await;
    let warning = keys.unwrap_or_else(Some).map(|error| {
        format!("The signing keys cannot be used yet: {error}. Use the SECRET_KEY of the database that they come from")
    });
    Ok((moved, warning))
}

/// As what `source` looks like: a database, standard input, or a file.
async fn open(source: &str, config: &Config, bar: &ProgressBar) -> Result<Source, Failure> {
    if let Some(url) = database(source)? {
        return Ok(Source::open(&url, &config.pool).await?);
    }
    if source == "-" {
        return read("standard input", std::io::stdin().lock(), bar);
    }
    let unreadable = |error| {
        Failure::Other(format!(
            "{source} cannot be read: {error}; name a file of dumpdata, or sqlite:PATH, or postgresql://…"
        ))
    };
    let mut file = File::open(source).map_err(unreadable)?;
    if let Some(what) = other_than_a_fixture(&mut file).map_err(unreadable)? {
        return Err(Failure::Other(format!("{source} is {what}")));
    }
    counts_bytes(bar);
    bar.set_length(file.metadata().map_err(unreadable)?.len());
    let name = Path::new(source).file_name().map_or_else(|| source.into(), |name| name.to_string_lossy());
    read(&name, file, bar)
}

/// What a file is, by its first bytes, if no fixture; it is then at its beginning again.
fn other_than_a_fixture(file: &mut File) -> std::io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    Read::by_ref(file).take(16).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(match start.as_slice() {
        b"SQLite format 3\0" => Some("an SQLite database: write sqlite: before its name"),
        [0x1f, 0x8b, ..] => {
            Some("compressed: unpack it first, or pipe what comes out into `countersign import -`")
        }
        _ => None,
    })
}

fn read(name: &str, fixture: impl Read, bar: &ProgressBar) -> Result<Source, Failure> {
    Source::from_fixture(name, bar.wrap_read(fixture)).map_err(|error| match error {
        MoveError::Refused(why) => Failure::Other(format!(
            "{name} cannot be imported: {why}; correct it, or let dumpdata write it anew"
        )),
        error => error.into(),
    })
}

fn database(source: &str) -> Result<Option<DatabaseUrl>, Failure> {
    let is_url = ["sqlite:", "postgresql:", "postgres:"].iter().any(|scheme| source.starts_with(scheme));
    let parse = || source.parse().map_err(|error| Failure::Other(format!("the source: {error}")));
    is_url.then(parse).transpose()
}

/// Whether both are one database; of a server, as far as the addresses tell.
fn is_same(one: &DatabaseUrl, other: &DatabaseUrl) -> bool {
    match (one, other) {
        (DatabaseUrl::Sqlite(one), DatabaseUrl::Sqlite(other)) => {
            one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
        }
        _ => one.to_string() == other.to_string(),
    }
}

/// The source as it may be shown: an address without its password.
fn named(source: &str) -> String {
    match database(source) {
        Ok(Some(url)) => url.to_string(),
        _ if source == "-" => "standard input".to_owned(),
        _ => source.to_owned(),
    }
}

/// For a look that changes nothing; an import finds out for itself.
async fn refuse_unless_fresh(config: &Config) -> Result<(), Failure> {
    if let DatabaseUrl::Sqlite(path) = &config.database
        && !path.exists()
    {
        return Ok(());
    }
    let findings = Prospect::open(&config.database, &config.pool)?.look().await?;
    if findings.last_user > 0 {
        let why =
            "has users already; an import needs a fresh one, unless it goes on with one that was interrupted";
        return Err(Failure::Other(format!("{} {why}", config.database)));
    }
    Ok(())
}

fn listed(moved: &Moved) -> String {
    let rows = moved.rows.iter().map(|(what, count)| format!("  {:<20} {count}", what.replace('_', " ")));
    let left_out =
        moved.left_out.iter().map(|(model, count)| format!("  left out             {count} of {model}"));
    rows.chain(left_out).collect::<Vec<_>>().join("\n")
}
