//! A read that nobody waits for. While it stands, readers of the same state share its lock on the write-ahead log in
//! memory. Without it each of them locks and unlocks a file, and all others wait while it does. Measured with two readers:
//! more than one thread put to sleep for each request.
//!
//! What was written after it began is read as ever, only without the gain; but it keeps the log from being folded into the
//! file from there on, and from being begun anew. So only a server has one: it is weighed before we write, cast again
//! afterwards and every time the server looks whether it is ready, and not while the log is long.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

/// A log that is longer is to be folded first, by whoever writes.
pub(super) const MOST_LOG_BYTES: u64 = 16 * 1024 * 1024;

/// The read, if there can be one.
pub(super) struct Anchor {
    reader: Mutex<Option<Connection>>,
    log: PathBuf,
    serves: AtomicBool,
}

impl Anchor {
    /// Not cast yet. There is none where the file has no write-ahead log: there it would keep writers out.
    pub(super) fn on(path: &Path) -> Self {
        let has_log = |reader: &Connection| {
            let mode = reader.query_row("PRAGMA journal_mode", [], |row| row.get(0));
            mode.is_ok_and(|mode: String| mode == "wal")
        };
        let reader = Mutex::new(super::open_reader(path).ok().filter(has_log));
        let mut log = OsString::from(path);
        log.push("-wal");
        Self { reader, log: log.into(), serves: AtomicBool::new(false) }
    }

    /// Casts it for a server. Others have done their work before it would be of use.
    pub(super) fn serve(&self) {
        self.serves.store(true, Ordering::Relaxed);
        self.cast();
    }

    /// Begins to read what there is now, if it serves; what it began before has an end.
    pub(super) fn cast(&self) {
        if !self.serves.load(Ordering::Relaxed) {
            return;
        }
        self.run(|reader| {
            end(reader)?;
            if std::fs::metadata(&self.log).is_ok_and(|log| log.len() > MOST_LOG_BYTES) {
                return Ok(());
            }
            reader.prepare_cached("BEGIN")?.execute([])?;
            reader.prepare_cached("SELECT 1 FROM sqlite_schema")?.query([])?.next().map(drop)
        });
    }

    /// Stops reading.
    pub(super) fn weigh(&self) {
        self.run(end);
    }

    /// Stops for good.
    pub(super) fn close(&self) {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Nobody needs it: it is given up at the first failure.
    fn run(&self, step: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.take_if(|reader| step(reader).is_err());
    }
}

fn end(reader: &Connection) -> rusqlite::Result<()> {
    if reader.is_autocommit() { Ok(()) } else { reader.prepare_cached("COMMIT")?.execute([]).map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::open_writer;

    /// Whether everything in the log can be folded into the file.
    fn folds(connection: &Connection) -> bool {
        let is_kept: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .expect("it is asked");
        !is_kept
    }

    #[test]
    fn it_is_read_from_the_cast_on_and_keeps_the_log_until_it_is_weighed() {
        let directory = tempfile::tempdir().expect("there is room");
        let file = directory.path().join("db.sqlite3");
        let writer = open_writer(&file).expect("it opens");
        writer.busy_timeout(std::time::Duration::ZERO).expect("it is set");
        writer.execute_batch("CREATE TABLE some (id)").expect("it is made");
        let anchor = Anchor::on(&file);
        anchor.cast();
        assert!(folds(&writer), "it does not serve");
        anchor.serve();
        anchor.cast(); // before it is weighed
        writer.execute_batch("INSERT INTO some VALUES (1)").expect("it is written");
        assert!(!folds(&writer), "it is read");
        anchor.weigh();
        anchor.weigh();
        assert!(folds(&writer), "it was weighed");
        anchor.close();
        anchor.cast();
        assert!(folds(&writer), "it was closed");
    }

    #[test]
    fn it_lets_a_long_log_be_folded_before_it_reads_again() {
        let directory = tempfile::tempdir().expect("there is room");
        let file = directory.path().join("db.sqlite3");
        let writer = open_writer(&file).expect("it opens");
        writer.busy_timeout(std::time::Duration::ZERO).expect("it is set");
        writer.execute_batch("CREATE TABLE some (large BLOB)").expect("it is made");
        let anchor = Anchor::on(&file);
        anchor.serve();
        for _ in 0..20 {
            writer.execute("INSERT INTO some VALUES (zeroblob(1000000))", []).expect("it is written");
        }
        assert!(!folds(&writer), "it is read from before");
        anchor.cast();
        assert!(folds(&writer), "the log is longer than it may be");
        anchor.cast();
        writer.execute("INSERT INTO some VALUES (1)", []).expect("it is written");
        assert!(!folds(&writer), "it is short again, and read");
    }

    #[test]
    fn where_there_is_no_log_nobody_is_kept_out() {
        let directory = tempfile::tempdir().expect("there is room");
        let file = directory.path().join("db.sqlite3");
        let writer = Connection::open(&file).expect("it opens");
        writer.execute_batch("CREATE TABLE some (id)").expect("it is made");
        let anchor = Anchor::on(&file);
        anchor.serve();
        writer.busy_timeout(std::time::Duration::ZERO).expect("it is set");
        writer.execute_batch("INSERT INTO some VALUES (1)").expect("nobody reads");
    }
}
