//! Whether this process could serve now, and if not, why: in fixed sentences, for anybody may read them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_store::{Store, StoreError};

use crate::Auth;

/// A database that has not answered by then is taken for one that does not.
const PATIENCE: Duration = Duration::from_secs(3);

const NOT_WRITABLE: &str = "nothing can be written; the log says why";
const NOT_ASKED: &str = "it cannot be asked how much is free";

/// What a look at everything came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether the database answers.
    pub database: Verdict,
    /// Whether it has the tables of this version.
    pub migrations: Verdict,
    /// Whether the keys are those that the ring has now.
    pub keys: Verdict,
    /// Whether there is room for an SQLite file to grow.
    pub disk: Verdict,
    /// Whether a new process might do better: what fails is part of this one.
    pub is_for_a_restart: bool,
}

/// What a look at one thing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// Something else fails, without which it cannot be told.
    Unknown,
    /// It is not, in words.
    Bad(&'static str),
}

impl Health {
    /// Every verdict by its name.
    #[must_use]
    pub fn verdicts(&self) -> [(&'static str, Verdict); 4] {
        [
            ("database", self.database),
            ("migrations", self.migrations),
            ("keys", self.keys),
            ("disk", self.disk),
        ]
    }

    /// Whether requests can be served.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdicts().into_iter().all(|(_, verdict)| verdict == Verdict::Good)
    }
}

impl Auth {
    /// Looks at everything that is needed to serve. `min_free_disk` are the bytes that an SQLite file needs to have left.
    pub async fn health(&self, min_free_disk: u64) -> Health {
        let (checked, disk) = self.look_at_database(min_free_disk).await;
        let is_not_writable = matches!(checked, Ok(Err(StoreError::NotWritable)));
        let was_failing = self.database_is_failing.swap(!matches!(checked, Ok(Ok(()))), Ordering::AcqRel);
        let (database, migrations) = match checked {
            Ok(Ok(())) => (Verdict::Good, Verdict::Good),
            Ok(Err(StoreError::Migration(_))) => {
                (Verdict::Good, Verdict::Bad("tables of this version are missing; run migrate"))
            }
            // The writer has told why.
            Ok(Err(StoreError::NotWritable)) => (Verdict::Bad(NOT_WRITABLE), Verdict::Unknown),
            Ok(Err(error)) => {
                if was_failing {
                    tracing::debug!(%error, "the database cannot be used");
                } else {
                    tracing::warn!(%error, "the database cannot be used");
                }
                let is_of_writes = matches!(error, StoreError::TakesNoWrites(_)) || error.is_of_room();
                let why = if is_of_writes { NOT_WRITABLE } else { "it cannot be used; the log says why" };
                (Verdict::Bad(why), Verdict::Unknown)
            }
            Err(()) => (Verdict::Bad("it does not answer in time"), Verdict::Unknown),
        };
        let keys = match (database, self.keys_are_outdated.load(Ordering::Acquire)) {
            (Verdict::Good, false) => Verdict::Good,
            (Verdict::Good, true) => {
                Verdict::Bad("they have changed and cannot be used; those of before stay in use")
            }
            _ => Verdict::Unknown,
        };
        // A file that is lost is one trouble, and its disk not another.
        let disk = match (database, disk) {
            (Verdict::Bad(_), Verdict::Bad(NOT_ASKED)) => Verdict::Unknown,
            (_, disk) => disk,
        };
        // A new process could not write either.
        let is_for_a_restart = database != Verdict::Good && !is_not_writable && self.store.is_embedded();
        Health { database, migrations, keys, disk, is_for_a_restart }
    }

    /// What is left on the disk of an SQLite file.
    #[must_use]
    pub fn free_disk_bytes(&self) -> Option<u64> {
        self.store.free_disk_bytes()?.ok()
    }

    /// What the database says, if it does in time, and the disk. An SQLite file is looked at on a thread of its own: a
    /// disk that hangs must not take along what accepts connections. While one look hangs there is no other.
    async fn look_at_database(&self, min_free: u64) -> (Result<Result<(), StoreError>, ()>, Verdict) {
        if !self.store.is_embedded() {
            let checked = tokio::time::timeout(PATIENCE, self.store.check_tables()).await;
            return (checked.map_err(drop), Verdict::Good);
        }
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return (Err(()), Verdict::Unknown);
        }
        let (store, is_looking) = (self.store.clone(), Arc::clone(&self.is_looking));
        let runtime = tokio::runtime::Handle::current();
        let looking = tokio::task::spawn_blocking(move || {
            let seen = (runtime.block_on(store.check_tables()), disk(&store, min_free));
            is_looking.store(false, Ordering::Release);
            seen
        });
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(Ok((checked, disk))) => (Ok(checked), disk),
            _ => (Err(()), Verdict::Unknown),
        }
    }
}

fn disk(store: &Store, min_free: u64) -> Verdict {
    match store.free_disk_bytes() {
        Some(Ok(free)) if free < min_free => Verdict::Bad("less is free than MIN_FREE_DISK_MIB asks for"),
        Some(Err(_)) => Verdict::Bad(NOT_ASKED),
        Some(Ok(_)) | None => Verdict::Good,
    }
}
