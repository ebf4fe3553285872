//! A read that nobody waits for. While it stands, readers of the same state share its lock on the write-ahead log in
//! memory. Without it each of them locks and unlocks a file, and all others wait while it does. Measured with two readers:
//! more than one thread put to sleep for each request.
//!
//! What was written after it began is read as ever, only without the gain; and it keeps the log from being folded into the
//! file from there on. So it is weighed before we write, and cast again afterwards and from time to time.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

/// The read, if there can be one.
pub(super) struct Anchor(Mutex<Option<Connection>>);

impl Anchor {
    /// Not cast yet. There is none where the file has no write-ahead log: there it would keep writers out.
    pub(super) fn on(path: &Path) -> Self {
        let has_log = |reader: &Connection| {
            reader
                .query_row("PRAGMA journal_mode", [], |row| row.get(0))
                .is_ok_and(|mode: String| mode == "wal")
        };
        Self(Mutex::new(super::open_reader(path).ok().filter(has_log)))
    }

    /// Begins to read what there is now; what it began before has an end.
    pub(super) fn cast(&self) {
        self.run(|reader| {
            end(reader)?;
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Nobody needs it: it is given up at the first failure.
    fn run(&self, step: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        assert!(folds(&writer), "it was not cast");
        for _ in 0..2 {
            anchor.cast(); // the second time before it is weighed
        }
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
    fn where_there_is_no_log_nobody_is_kept_out() {
        let directory = tempfile::tempdir().expect("there is room");
        let file = directory.path().join("db.sqlite3");
        let writer = Connection::open(&file).expect("it opens");
        writer.execute_batch("CREATE TABLE some (id)").expect("it is made");
        Anchor::on(&file).cast();
        writer.busy_timeout(std::time::Duration::ZERO).expect("it is set");
        writer.execute_batch("INSERT INTO some VALUES (1)").expect("nobody reads");
    }
}
