//! Whether the database can be served from at this moment: cheap enough to be asked once a second.

use crate::engine::Engine;
use crate::{Store, StoreError, migrations};

impl Store {
    /// Fails when the database does not answer, lacks a table of this version, or would refuse what we write. What a later version added is no
    /// failure: while servers are exchanged one by one, those of before go on.
    pub async fn check_tables(&self) -> Result<(), StoreError> {
        if let Engine::Sqlite(sqlite) = &*self.engine {
            sqlite.check_writer()?;
        }
        let sql = "SELECT name FROM countersign_migration ORDER BY name";
        let applied: Vec<String> = self.engine.all(sql, &[], |row| row.get(0)).await?;
        migrations::refuse_missing(&applied)?;
        if let Engine::Postgres(postgres) = &*self.engine {
            postgres.check_writable().await?;
        }
        Ok(())
    }

    /// The bytes that the file system of an SQLite file has left for us; nothing is known of a server's.
    #[must_use]
    pub fn free_disk_bytes(&self) -> Option<std::io::Result<u64>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => Some(sqlite.free_disk_bytes()),
            Engine::Postgres(_) => None,
        }
    }

    /// Whether the database is part of this process, so that a new process may mend it.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(&*self.engine, Engine::Sqlite(_))
    }
}
