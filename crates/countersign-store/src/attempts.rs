//! `countersign_attempt`: what was spent of budgets of attempts. Several are spent at once, all of them or none, and before
//! what they are to bound is done, so that those who come at the same time, here or at another server, are counted too.
//!
//! The rule is [`Budget`]'s. SQLite's writer asks it row by row; PostgreSQL has it in its own words, to be asked once.

mod one_by_one;

use countersign_domain::{Budget, Spent};
use jiff::Timestamp;

use crate::engine::{Engine, Row, Value, to_time};
use crate::postgres::Postgres;
use crate::{Store, StoreError};

/// One attempt on the budget with this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Which row.
    pub id: i64,
    /// How large it is.
    pub budget: Budget,
}

/// Whether an attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// It may, and was counted in each of its budgets.
    Admitted,
    /// A budget is used up, and none was charged; of several the one that takes longest.
    Refused {
        /// Which one.
        id: i64,
        /// When to come again.
        free_at: Timestamp,
    },
}

impl Store {
    /// Charges an attempt to all of its budgets, which are different ones. Eight rows that are of no use any more are
    /// deleted on the way, which is more than come, so that there are no more than there are budgets in use.
    ///
    /// On a connection that breaks after the charge it may be charged twice.
    pub async fn charge(&self, mut charges: Vec<Charge>, now: Timestamp) -> Result<Charged, StoreError> {
        charges.sort_by_key(|charge| charge.id); // who waits for another then holds nothing that that one waits for
        match &*self.engine {
            Engine::Sqlite(_) => {
                let charging = self.engine.write(move |transaction| {
                    Box::pin(async move { one_by_one::charge(transaction, &charges, now).await })
                });
                charging.await
            }
            Engine::Postgres(postgres) => charge_together(postgres, &charges, now).await,
        }
    }

    /// Gives back attempts that were charged to these budgets: of each so many.
    pub async fn give_back(&self, mut returns: Vec<(Charge, i64)>, now: Timestamp) -> Result<(), StoreError> {
        returns.sort_by_key(|(charge, _)| charge.id);
        match &*self.engine {
            Engine::Sqlite(_) => {
                let giving = self.engine.write(move |transaction| {
                    Box::pin(async move { one_by_one::give_back(transaction, &returns, now).await })
                });
                giving.await
            }
            Engine::Postgres(postgres) => give_back_together(postgres, &returns, now).await,
        }
    }
}

/// The values `$1` to `$3` of the statements below.
struct Columns {
    ids: Vec<Option<i64>>,
    every: Vec<Option<i64>>,
    burst: Vec<Option<i64>>,
}

impl Columns {
    fn of(charges: &[Charge]) -> Self {
        let column = |of: fn(&Charge) -> i64| charges.iter().map(|charge| Some(of(charge))).collect();
        Self {
            ids: column(|charge| charge.id),
            every: column(|charge| charge.budget.every()),
            burst: column(|charge| charge.budget.burst()),
        }
    }

    fn values(&self) -> [Value<'_>; 3] {
        [Value::Ints(&self.ids), Value::Ints(&self.every), Value::Ints(&self.burst)]
    }
}

/// The rows are locked before they are looked at. One that another has just made cannot be seen yet: it is looked at again
/// when it is written, and if that refuses, it is missing among those that were charged, which get it back.
async fn charge_together(
    postgres: &Postgres,
    charges: &[Charge],
    now: Timestamp,
) -> Result<Charged, StoreError> {
    let sql = "WITH asked AS (
                 SELECT asked.id, asked.every, asked.burst FROM unnest($1, $2, $3) AS asked (id, every, burst)
             ), held AS (
                 SELECT id, free_at FROM countersign_attempt WHERE id = ANY ($1) ORDER BY id FOR UPDATE
             ), refused AS (
                 SELECT held.id, held.free_at FROM held JOIN asked ON asked.id = held.id
                  WHERE held.free_at > $4 AND held.free_at <= $4 + asked.every
             ), swept AS (
                 DELETE FROM countersign_attempt WHERE id = ANY (ARRAY (
                     SELECT id FROM countersign_attempt
                      WHERE whole_at <= $4 AND id <> ALL ($1) AND NOT EXISTS (SELECT FROM refused)
                      ORDER BY whole_at LIMIT 8 FOR UPDATE SKIP LOCKED))
             ), charged AS (
                 INSERT INTO countersign_attempt AS kept (id, whole_at, free_at)
                 SELECT asked.id, $4 + asked.every, CASE WHEN asked.burst = 1 THEN $4 + asked.every ELSE 0 END
                   FROM asked WHERE NOT EXISTS (SELECT FROM refused) ORDER BY asked.id
                 ON CONFLICT (id) DO UPDATE SET (whole_at, free_at) = (
                     SELECT spent.whole_at, CASE WHEN missing.level >= spent.burst THEN $4 + spent.every
                                                 WHEN missing.level * 2 <= spent.burst THEN 0
                                                 ELSE $4 + (spent.every >> LEAST(spent.burst - missing.level, 62)::int) END
                       FROM (SELECT asked.every, asked.burst,
                                    LEAST(GREATEST(kept.whole_at, $4), $4 + asked.burst * asked.every) + asked.every
                                        AS whole_at
                               FROM asked WHERE asked.id = kept.id) AS spent,
                            LATERAL (SELECT (spent.whole_at - $4 + spent.every - 1) / spent.every AS level) AS missing)
                  WHERE NOT (kept.free_at > $4 AND kept.free_at <= excluded.whole_at)
                 RETURNING kept.id
             )
             SELECT refused.id, refused.free_at FROM refused UNION ALL SELECT charged.id, 0 FROM charged";
    let columns = Columns::of(charges);
    let sql = postgres.users().statement(sql)?;
    let values = [&columns.values()[..], &[now.as_microsecond().into()]].concat();
    let rows = postgres.write_one(&sql, &sql.values(&values)).await?;
    let read = |row| {
        let row = Row::Postgres(row);
        Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
    };
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    let longest =
        rows.iter().copied().filter(|(_, free_at)| *free_at > 0).max_by_key(|(_, free_at)| *free_at);
    if let Some((id, free_at)) = longest {
        return Ok(Charged::Refused { id, free_at: to_time(free_at)? });
    }
    let is_charged = |charge: &&Charge| rows.iter().any(|(id, _)| *id == charge.id);
    let Some(overtaken) = charges.iter().find(|charge| !is_charged(charge)) else {
        return Ok(Charged::Admitted);
    };
    let of_others: Vec<_> = charges.iter().filter(is_charged).map(|charge| (*charge, 1)).collect();
    give_back_together(postgres, &of_others, now).await?;
    let free_at = to_time(now.as_microsecond() + overtaken.budget.every())?;
    Ok(Charged::Refused { id: overtaken.id, free_at })
}

async fn give_back_together(
    postgres: &Postgres,
    returns: &[(Charge, i64)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "WITH asked AS (
                 SELECT asked.id, asked.every, asked.burst, asked.count
                   FROM unnest($1, $2, $3, $5) AS asked (id, every, burst, count)
             ), held AS (
                 SELECT id, whole_at, free_at FROM countersign_attempt WHERE id = ANY ($1) ORDER BY id FOR UPDATE
             ), less AS (
                 SELECT held.id, held.free_at, asked.every, asked.burst,
                        GREATEST(held.whole_at - asked.every * asked.count, $4) AS whole_at
                   FROM held JOIN asked ON asked.id = held.id
             )
             UPDATE countersign_attempt AS kept
                SET whole_at = less.whole_at,
                    free_at = LEAST(less.free_at, CASE WHEN missing.level >= less.burst THEN $4 + less.every
                                                       WHEN missing.level * 2 <= less.burst THEN 0
                                                       ELSE $4 + (less.every >> LEAST(less.burst - missing.level, 62)::int) END)
               FROM less, LATERAL (SELECT (less.whole_at - $4 + less.every - 1) / less.every AS level) AS missing
              WHERE kept.id = less.id AND kept.id = ANY ($1) RETURNING kept.id";
    let charges: Vec<_> = returns.iter().map(|(charge, _)| *charge).collect();
    let counts: Vec<_> = returns.iter().map(|(_, count)| Some(*count)).collect();
    let columns = Columns::of(&charges);
    let own = [now.as_microsecond().into(), Value::Ints(&counts)];
    let sql = postgres.users().statement(sql)?;
    let values = [&columns.values()[..], &own].concat();
    postgres.write_one(&sql, &sql.values(&values)).await.map(drop)
}

/// What two columns hold, from this one on.
fn read_spent(row: &Row<'_>) -> Result<Spent, StoreError> {
    Ok(Spent { whole_at: row.get_time(0)?, free_at: row.get_time(1)? })
}
