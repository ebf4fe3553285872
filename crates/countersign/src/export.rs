//! `countersign export`: every account as a fixture of Django's, password hashes included.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use countersign_store::{MoveError, Moved, Source};
use indicatif::ProgressBar;
use serde_json::json;

use crate::cli::ExportArgs;
use crate::config::{Config, Files};
use crate::program::{Failure, block_on, configure, report};
use crate::progress::counts_rows;

/// Writes the file, or to standard output, and then says nothing else there.
pub fn run(args: &ExportArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::Existing)?;
    let Some(path) = args.file.as_deref().filter(|path| *path != Path::new("-")) else {
        let stdout = std::io::stdout();
        if stdout.is_terminal() && !args.force {
            let why = "the export has every password hash in it, and would be shown on this terminal";
            return Err(Failure::Other(format!("{why}; name a file, or add --force")));
        }
        return match write(&config, &mut BufWriter::new(stdout.lock())) {
            // Who has read enough is no failure, as everywhere.
            Err(Failure::Move(MoveError::File(error))) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map(drop),
        };
    };
    let in_words = |error: std::io::Error| {
        Failure::Other(match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{} is there already; name another, or remove it", path.display())
            }
            _ => format!("{} cannot be written: {error}; name another file", path.display()),
        })
    };
    let file = make_private(path).map_err(in_words)?;
    let mut out = BufWriter::new(&file);
    let written = write(&config, &mut out).and_then(|moved| {
        out.flush().and_then(|()| file.sync_all()).map_err(in_words)?;
        Ok(moved)
    });
    if written.is_err() {
        // Half of it is of no use, and has hashes in it.
        let _ = std::fs::remove_file(path);
    }
    let moved = written?;
    let users = moved.rows.get("users").copied().unwrap_or_default();
    let json = json!({ "database": config.database.to_string(), "file": path, "rows": moved.rows });
    let sentence = format!("{users} users of {} are in {}.", config.database, path.display());
    report(as_json, &json, &sentence)
}

fn write(config: &Config, out: &mut impl Write) -> Result<Moved, Failure> {
    let bar = ProgressBar::new(0); // draws on standard error, if that is a terminal
    let written = block_on(async {
        let source = Source::open(&config.database, &config.pool).await?;
        counts_rows(&bar);
        bar.set_length(source.count().await?);
        Ok(source.write_fixture(out, |rows| bar.inc(rows)).await?)
    });
    bar.finish_and_clear();
    written
}

fn make_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
