//! `countersign_mail`: mail that waits to be sent. A message is not kept, only whom it is for and why; it is written when it
//! is sent.
//!
//! Servers share the mail. One that sends takes a row first: it moves the time of the next attempt on, if nobody else has
//! done so meanwhile. If it ends before it is done, that time comes, and another one takes the row.

use std::fmt;

use countersign_domain::{Email, MailKind};
use jiff::{SignedDuration, Timestamp};

use crate::engine::{Row, Transaction};
use crate::events::new_id;
use crate::{Store, StoreError};

/// The most that wait. Servers that write at once may come to a few more.
const MOST_WAITING: i64 = 10_000;

/// What became of a mail that was to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queueing {
    /// It waits.
    Queued,
    /// One of its kind for the same address waited already, and it is that one.
    Waiting,
    /// It waits, and the one of this id, which has been put off the most, does not any more: too many would.
    InPlaceOf(String),
    /// Too many wait; it does not.
    Full,
}

/// A mail that its taker is to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its name, which is not a secret.
    pub id: String,
    /// What it is for.
    pub kind: MailKind,
    /// Whom it is for.
    pub address: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How often it has been taken, with this time.
    pub attempts: i64,
}

/// Without the address, which is nobody's business.
impl fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, address: _, created_at, attempts } = self;
        let mut fields = formatter.debug_struct("Mail");
        fields
            .field("id", id)
            .field("kind", kind)
            .field("created_at", created_at)
            .field("attempts", attempts);
        fields.finish_non_exhaustive()
    }
}

impl Store {
    /// Has a mail sent to an address, once this has returned in any case. What is written does not depend on whether there is a
    /// user with that address.
    pub async fn queue_mail(
        &self,
        kind: MailKind,
        address: &Email,
        now: Timestamp,
    ) -> Result<Queueing, StoreError> {
        let address = address.stored();
        self.engine
            .write(move |transaction| Box::pin(async move { queue(transaction, kind, &address, now).await }))
            .await
    }

    /// Takes the mail of these kinds that has had the fewest attempts, and of those the one that has waited longest for the
    /// next, if there is one. Nobody else gets it for as long as `lease`. Other kinds are left to whoever knows what to write.
    pub async fn claim_mail(
        &self,
        kinds: &[MailKind],
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Option<Mail>, StoreError> {
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        let asked_for = |kind: MailKind| if kinds.contains(&kind) { kind.name() } else { "" };
        let [registration] = MailKind::ALL.map(asked_for);
        let values = [now.as_microsecond().into(), registration.into()];
        let next = "SELECT id, kind, address, created_at, attempts FROM countersign_mail
                     WHERE next_attempt_at <= $1 AND kind IN ($2) ORDER BY attempts, next_attempt_at LIMIT 1";
        while let Some(next) = self.engine.first(next, &values, read_mail).await? {
            let claimed = Mail { attempts: next.attempts + 1, ..next };
            let sql = "UPDATE countersign_mail SET next_attempt_at = $3, attempts = attempts + 1
                        WHERE id = $1 AND attempts = $2 RETURNING id";
            if self.set_next_attempt(sql, (claimed.id.clone(), next.attempts, until)).await? {
                return Ok(Some(claimed));
            }
        }
        Ok(None)
    }

    /// Has a mail wait until then for its next attempt, unless another one has taken it meanwhile.
    pub async fn postpone_mail(&self, mail: &Mail, until: Timestamp) -> Result<(), StoreError> {
        let sql =
            "UPDATE countersign_mail SET next_attempt_at = $3 WHERE id = $1 AND attempts = $2 RETURNING id";
        self.set_next_attempt(sql, (mail.id.clone(), mail.attempts, until)).await.map(drop)
    }

    /// Ends a mail that was sent, or never will be.
    pub async fn delete_mail(&self, mail: &Mail) -> Result<(), StoreError> {
        let sql = "DELETE FROM countersign_mail WHERE id = $1 RETURNING id";
        self.engine.write_one(sql, mail.id.clone(), |id| vec![id.into()]).await.map(drop)
    }

    /// How many mails wait.
    pub async fn waiting_mails(&self) -> Result<i64, StoreError> {
        let sql = "SELECT count(*) FROM countersign_mail";
        Ok(self.engine.first(sql, &[], |row| row.get(0)).await?.unwrap_or_default())
    }

    async fn set_next_attempt(
        &self,
        sql: &'static str,
        of: (String, i64, Timestamp),
    ) -> Result<bool, StoreError> {
        self.engine
            .write_one(sql, of, |(id, attempts, until)| {
                vec![id.into(), (*attempts).into(), until.as_microsecond().into()]
            })
            .await
    }
}

async fn queue(
    transaction: &mut Transaction<'_>,
    kind: MailKind,
    address: &str,
    now: Timestamp,
) -> Result<Queueing, StoreError> {
    let sql = "SELECT count(*) FROM countersign_mail";
    let is_full = transaction.first(sql, &[], |row| row.get(0)).await? >= Some(MOST_WAITING);
    let put_off = if is_full { most_put_off(transaction).await? } else { None };
    if is_full && put_off.is_none() {
        return Ok(Queueing::Full);
    }
    let (id, now) = (new_id(), now.as_microsecond());
    let sql = "INSERT INTO countersign_mail (id, kind, address, created_at, next_attempt_at, attempts)
               VALUES ($1, $2, $3, $4, $4, 0)
               ON CONFLICT DO NOTHING";
    let values = [(&id).into(), kind.name().into(), address.into(), now.into()];
    let is_added = transaction.execute(sql, &values).await? == 1;
    if let Some(put_off) = put_off {
        // The same statement for one that waits already, whose new id nobody has.
        let gone = if is_added { &put_off } else { &id };
        transaction.execute("DELETE FROM countersign_mail WHERE id = $1", &[gone.into()]).await?;
        return Ok(if is_added { Queueing::InPlaceOf(put_off) } else { Queueing::Waiting });
    }
    Ok(if is_added { Queueing::Queued } else { Queueing::Waiting })
}

/// The mail that has had the most attempts, and more than one.
async fn most_put_off(transaction: &mut Transaction<'_>) -> Result<Option<String>, StoreError> {
    let sql = "SELECT id FROM countersign_mail WHERE attempts > 1
                ORDER BY attempts DESC, next_attempt_at DESC LIMIT 1";
    transaction.first(sql, &[], |row| row.get(0)).await
}

fn read_mail(row: &Row<'_>) -> Result<Mail, StoreError> {
    Ok(Mail {
        id: row.get(0)?,
        kind: row.get_named(1, &MailKind::ALL, MailKind::name)?,
        address: row.get(2)?,
        created_at: row.get_time(3)?,
        attempts: row.get(4)?,
    })
}
