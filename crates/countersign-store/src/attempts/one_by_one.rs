//! The budgets of an attempt in SQLite's writer, which nobody overtakes.

use countersign_domain::Spent;
use jiff::Timestamp;

use super::{Charge, Charged, read_spent};
use crate::StoreError;
use crate::engine::Transaction;

pub(super) async fn charge(
    transaction: &mut Transaction<'_>,
    charges: &[Charge],
    now: Timestamp,
) -> Result<Charged, StoreError> {
    let (mut spent, mut refused) = (Vec::new(), None);
    for charge in charges {
        match charge.budget.spend(find(transaction, charge.id).await?, now) {
            Ok(next) => spent.push((charge.id, next)),
            Err(free_at) => refused = refused.max(Some((free_at, charge.id))),
        }
    }
    if let Some((free_at, id)) = refused {
        return Ok(Charged::Refused { id, free_at });
    }
    for (id, spent) in spent {
        keep(transaction, id, spent).await?;
    }
    let sql = "DELETE FROM countersign_attempt
                WHERE id IN (SELECT id FROM countersign_attempt WHERE whole_at <= $1 ORDER BY whole_at LIMIT 8)";
    transaction.execute(sql, &[now.as_microsecond().into()]).await?;
    Ok(Charged::Admitted)
}

pub(super) async fn give_back(
    transaction: &mut Transaction<'_>,
    returns: &[(Charge, i64)],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (charge, count) in returns {
        if let Some(spent) = find(transaction, charge.id).await? {
            keep(transaction, charge.id, charge.budget.give_back(spent, *count, now)).await?;
        }
    }
    Ok(())
}

async fn find(transaction: &mut Transaction<'_>, id: i64) -> Result<Option<Spent>, StoreError> {
    let sql = "SELECT whole_at, free_at FROM countersign_attempt WHERE id = $1";
    transaction.first(sql, &[id.into()], read_spent).await
}

async fn keep(transaction: &mut Transaction<'_>, id: i64, spent: Spent) -> Result<(), StoreError> {
    let sql = "INSERT INTO countersign_attempt (id, whole_at, free_at) VALUES ($1, $2, $3)
               ON CONFLICT (id) DO UPDATE SET whole_at = excluded.whole_at, free_at = excluded.free_at";
    let Spent { whole_at, free_at } = spent;
    let values = [id.into(), whole_at.as_microsecond().into(), free_at.as_microsecond().into()];
    transaction.execute(sql, &values).await.map(drop)
}
