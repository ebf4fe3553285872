//! Read-only connections, one for each reader at once. A thread gets the one that it read with last: its pages and its
//! statements are still in that core's cache.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, keep_statements};
use crate::StoreError;

/// The readers of a file that wait for somebody to read.
pub(super) struct Readers {
    path: PathBuf,
    /// Each with the thread that it was used by last; the one that has waited longest is the first.
    idle: Mutex<Vec<(ThreadId, Connection)>>,
}

impl Readers {
    /// None yet: they are opened as they are needed.
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    /// Runs `query` at once, on a connection of the caller's own.
    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let here = std::thread::current().id();
        let idle = self.take(here);
        let connection = idle.map_or_else(|| open_reader(&self.path), Ok)?;
        let result = query(&connection);
        self.idle().push((here, connection));
        result
    }

    /// The one that this thread used last, or else what nobody has needed for longest.
    fn take(&self, here: ThreadId) -> Option<Connection> {
        let mut idle = self.idle();
        let own = idle.iter().position(|(last, _)| *last == here);
        let taken = own.or((!idle.is_empty()).then_some(0))?;
        Some(idle.remove(taken).1)
    }

    /// Closes those that are idle.
    pub(super) fn close(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(ThreadId, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a file that is there.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
    keep_statements(&connection)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::open_writer;

    /// What tells the connection of whoever reads from others; it has no other meaning here.
    fn mark(readers: &Readers, mark: i64) {
        let set = |reader: &Connection| Ok(reader.pragma_update(None, "cache_size", mark)?);
        readers.read(set).expect("it is marked");
    }

    fn mark_of(readers: &Readers) -> i64 {
        let get = |reader: &Connection| Ok(reader.pragma_query_value(None, "cache_size", |row| row.get(0))?);
        readers.read(get).expect("it is read")
    }

    fn elsewhere(work: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(work).join()).expect("it does not panic");
    }

    #[test]
    fn a_thread_reads_with_what_it_read_with_last_and_a_new_one_with_what_has_waited_longest() {
        let directory = tempfile::tempdir().expect("there is room");
        let file = directory.path().join("db.sqlite3");
        drop(open_writer(&file).expect("it is made"));
        let readers = Readers::of(&file);
        let (ours, of_another) = (101, 102);
        let another_at_once = |_: &Connection| {
            elsewhere(|| mark(&readers, of_another));
            Ok(())
        };
        readers.read(another_at_once).expect("each has one");
        mark(&readers, ours);
        elsewhere(|| {
            assert_eq!(mark_of(&readers), of_another, "nobody has needed it for longer");
            assert_eq!(mark_of(&readers), of_another, "now it is this thread's");
        });
        assert_eq!(mark_of(&readers), ours);
        elsewhere(|| assert_eq!(mark_of(&readers), of_another, "ours was read with since"));
        assert_eq!(readers.idle().len(), 2, "no more than ever read at once");
    }
}
