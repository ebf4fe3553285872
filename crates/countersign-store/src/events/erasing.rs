//! Erasing what is personal in events. The chain holds a commitment to it, and stays whole.

use countersign_domain::UserId;

use super::append;
use super::chain::lock_chain;
use crate::engine::Transaction;
use crate::{Store, StoreError};

impl Store {
    /// Erases the name, the addresses and the clients in the events about a user; returns in how many.
    pub async fn erase_personal_data(&self, user: UserId) -> Result<usize, StoreError> {
        let event = self.event();
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let erased = erase(transaction, user).await?;
                    append(transaction, event.map(|event| event.with("events", erased.to_string()))).await?;
                    Ok(erased)
                })
            })
            .await
    }
}

/// Takes the chain first, as whoever links does: else the two could wait for each other's rows.
pub(crate) async fn erase(transaction: &mut Transaction<'_>, user: UserId) -> Result<usize, StoreError> {
    lock_chain(transaction).await?;
    let sql = "UPDATE countersign_event SET personal = NULL WHERE subject = $1 AND personal IS NOT NULL";
    transaction.execute(sql, &[(&user.to_string()).into()]).await
}
