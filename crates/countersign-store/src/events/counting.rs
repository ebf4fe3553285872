//! How many events there are, for whoever counts them as they come.

use crate::{Store, StoreError};

impl Store {
    /// The last position in the chain of events; 0 where there is none.
    pub async fn last_event_position(&self) -> Result<i64, StoreError> {
        let sql = "SELECT last_position FROM countersign_event_chain WHERE id = 1";
        Ok(self.engine.first(sql, &[], |row| row.get(0)).await?.unwrap_or(0))
    }

    /// Each kind of which events are linked after a position: how many, and the last position of one.
    pub async fn count_events_after(&self, position: i64) -> Result<Vec<(String, i64, i64)>, StoreError> {
        let sql =
            "SELECT kind, count(*), max(position) FROM countersign_event WHERE position > $1 GROUP BY kind";
        self.engine.all(sql, &[position.into()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).await
    }
}
