//! `countersign_key`: the key ring. What is sealed is not opened here, and nothing here knows when a state may change;
//! each change names what its caller saw, and does nothing if that has changed meanwhile.

use std::fmt;

use jiff::Timestamp;

use crate::engine::{Row, Transaction, Value, Work};
use crate::events::append;
use crate::{Store, StoreError};

/// Where a key is in its life; it never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that verifiers have it before it signs.
    Next,
    /// Signs and verifies.
    Signing,
    /// Verifies what it signed before.
    Verifying,
    /// Does nothing; its private key is gone.
    Retired,
}

impl KeyState {
    const ALL: [Self; 4] = [Self::Next, Self::Signing, Self::Verifying, Self::Retired];

    /// Its name in the database and for operators.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Signing => "signing",
            Self::Verifying => "verifying",
            Self::Retired => "retired",
        }
    }
}

/// A key of the ring.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its RFC 7638 thumbprint, or the name that stands for the configured key.
    pub kid: String,
    /// Its algorithm, as a token's `alg` names it.
    pub algorithm: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// Its private key, sealed; `None` for the configured key, and for a retired one.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it came into its state.
    pub changed_at: Timestamp,
}

/// Without what is sealed.
impl fmt::Debug for StoredKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kid, algorithm, state, sealed: _, created_at, changed_at } = self;
        let mut fields = formatter.debug_struct("StoredKey");
        fields.field("kid", kid).field("algorithm", algorithm).field("state", state);
        fields.field("created_at", created_at).field("changed_at", changed_at).finish_non_exhaustive()
    }
}

/// The next key becomes the signing one, and the signing one verifies.
#[derive(Debug, Clone)]
pub struct KeyRotation {
    /// The next key, as the caller saw it.
    pub next: String,
    /// The signing key, as the caller saw it; `None` when the configured key signs.
    pub signing: Option<String>,
    /// Name and algorithm of the configured key, which gets a row when it ceases to sign.
    pub configured: (&'static str, &'static str),
    /// When it is.
    pub at: Timestamp,
}

impl Store {
    /// Every key, oldest first.
    pub async fn list_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let sql = "SELECT kid, algorithm, state, sealed, created_at, changed_at FROM countersign_key
                    ORDER BY created_at, kid";
        self.engine.all(sql, &[], read_key).await
    }

    /// Adds a key. False, and nothing is added, if there is one with its name, or another one in the state `next` or
    /// `signing`.
    pub async fn insert_key(&self, key: StoredKey) -> Result<bool, StoreError> {
        self.change(move |transaction| Box::pin(async move { insert(transaction, &key).await })).await
    }

    /// Changes which key signs. False, and nothing is changed, if the keys are not those that the caller saw.
    pub async fn rotate_keys(&self, rotation: KeyRotation) -> Result<bool, StoreError> {
        self.change(move |transaction| Box::pin(rotate(transaction, rotation))).await
    }

    /// Ends a key that was in this state, and deletes its private key. False if it is in another one.
    pub async fn retire_key(&self, kid: String, from: KeyState, at: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE countersign_key SET state = 'retired', sealed = NULL, changed_at = $3
                    WHERE kid = $1 AND state = $2";
        self.change(move |transaction| {
            Box::pin(async move {
                let values = [(&kid).into(), from.name().into(), at.as_microsecond().into()];
                Ok(transaction.execute(sql, &values).await? == 1)
            })
        })
        .await
    }

    /// Replaces what is sealed by the same under another secret. False if it has been changed meanwhile.
    pub async fn reseal_key(&self, kid: String, old: Vec<u8>, new: Vec<u8>) -> Result<bool, StoreError> {
        let sql = "UPDATE countersign_key SET sealed = $3 WHERE kid = $1 AND sealed = $2";
        self.change(move |transaction| {
            Box::pin(async move {
                let values = [(&kid).into(), old.as_slice().into(), new.as_slice().into()];
                Ok(transaction.execute(sql, &values).await? == 1)
            })
        })
        .await
    }

    /// Runs `work`; if it has changed anything, servers that listen are told once that is committed.
    async fn change(
        &self,
        work: impl for<'a, 't> FnOnce(&'a mut Transaction<'t>) -> Work<'a, bool> + Send + 'static,
    ) -> Result<bool, StoreError> {
        let event = self.event();
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let is_changed = work(transaction).await?;
                    append(transaction, event.filter(|_| is_changed)).await?;
                    if let (true, Transaction::Postgres(transaction)) = (is_changed, transaction) {
                        transaction.run_script("NOTIFY countersign_key").await?;
                    }
                    Ok(is_changed)
                })
            })
            .await
    }
}

impl StoredKey {
    /// What stands for the configured key once it has ceased to sign.
    fn configured(name: &str, algorithm: &str, at: Timestamp) -> Self {
        Self {
            kid: name.to_owned(),
            algorithm: algorithm.to_owned(),
            state: KeyState::Verifying,
            sealed: None,
            created_at: at,
            changed_at: at,
        }
    }
}

async fn rotate(transaction: &mut Transaction<'_>, rotation: KeyRotation) -> Result<bool, StoreError> {
    if let Transaction::Postgres(transaction) = transaction {
        // Two who rotate at once would otherwise both see what the other is about to change.
        transaction.run_script("LOCK TABLE countersign_key IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let KeyRotation { next, signing, configured: (name, algorithm), at } = rotation;
    let is_next = "SELECT kid FROM countersign_key WHERE state = 'next'";
    let is_next: Option<String> = transaction.first(is_next, &[], |row| row.get(0)).await?;
    let is_signing = "SELECT kid FROM countersign_key WHERE state = 'signing'";
    let is_signing: Option<String> = transaction.first(is_signing, &[], |row| row.get(0)).await?;
    if is_next.as_ref() != Some(&next) || is_signing != signing {
        return Ok(false);
    }
    match signing {
        Some(kid) => drop(set_state(transaction, &kid, KeyState::Verifying, at).await?),
        None => drop(insert(transaction, &StoredKey::configured(name, algorithm, at)).await?),
    }
    set_state(transaction, &next, KeyState::Signing, at).await
}

async fn insert(transaction: &mut Transaction<'_>, key: &StoredKey) -> Result<bool, StoreError> {
    let added = transaction
        .execute(
            "INSERT INTO countersign_key (kid, algorithm, state, sealed, created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
            &[
                (&key.kid).into(),
                (&key.algorithm).into(),
                key.state.name().into(),
                Value::Bytes(key.sealed.as_deref()),
                key.created_at.as_microsecond().into(),
                key.changed_at.as_microsecond().into(),
            ],
        )
        .await?;
    Ok(added == 1)
}

async fn set_state(
    transaction: &mut Transaction<'_>,
    kid: &str,
    state: KeyState,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE countersign_key SET state = $2, changed_at = $3 WHERE kid = $1";
    let values = [kid.into(), state.name().into(), at.as_microsecond().into()];
    Ok(transaction.execute(sql, &values).await? == 1)
}

fn read_key(row: &Row<'_>) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        kid: row.get(0)?,
        algorithm: row.get(1)?,
        state: row.get_named(2, &KeyState::ALL, KeyState::name)?,
        sealed: row.get(3)?,
        created_at: row.get_time(4)?,
        changed_at: row.get_time(5)?,
    })
}
