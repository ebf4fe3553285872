//! The keys as the operator sees them.

use countersign_store::{KeyState, StoredKey};
use jiff::Timestamp;

use super::{CONFIGURED, Kept, KeyRing, KeyRingError};

/// One key, and what may be done with it when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// Its RFC 7638 thumbprint; `configured` for the key that the settings name.
    pub kid: String,
    /// Its algorithm, as a token's `alg` names it.
    pub algorithm: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made, where that is known.
    pub created: Option<Timestamp>,
    /// When it came into its state, where that is known.
    pub changed: Option<Timestamp>,
    /// A next key: from when it may sign.
    pub rotate_after: Option<Timestamp>,
    /// A verifying key: from when no token of it can be good.
    pub retire_after: Option<Timestamp>,
}

impl KeyRing {
    /// Every key: the configured one, then the ring.
    pub async fn list(&self) -> Result<Vec<KeyStatus>, KeyRingError> {
        let kept = self.kept().await?;
        let mut list = vec![self.configured_status(&kept)];
        match &kept {
            Kept::Rows(rows) => {
                list.extend(rows.iter().filter(|row| row.kid != CONFIGURED).map(|row| self.status(row)));
            }
            Kept::Files(_) => {
                for key in self.open(&kept)? {
                    let verifying = key.verifying()?;
                    let kid = verifying.kid().unwrap_or(&key.name);
                    list.push(KeyStatus::undated(kid, key.algorithm.name(), key.state));
                }
            }
        }
        Ok(list)
    }

    fn configured_status(&self, kept: &Kept) -> KeyStatus {
        let algorithm = self.configured.algorithm.name();
        let row = match kept {
            Kept::Rows(rows) => rows.iter().find(|row| row.kid == CONFIGURED),
            Kept::Files(_) => None,
        };
        match row {
            // Its row was written when it ceased to sign; when it was made, nobody knows.
            Some(row) => KeyStatus { created: None, algorithm: algorithm.to_owned(), ..self.status(row) },
            None => KeyStatus::undated(CONFIGURED, algorithm, kept.state_of_configured()),
        }
    }

    /// A row as the operator sees it.
    pub(super) fn status(&self, row: &StoredKey) -> KeyStatus {
        let after = |state, wait| {
            let time = row.changed_at.saturating_add(wait).unwrap_or(Timestamp::MAX);
            (row.state == state).then_some(time)
        };
        KeyStatus {
            kid: row.kid.clone(),
            algorithm: row.algorithm.clone(),
            state: row.state,
            created: Some(row.created_at),
            changed: Some(row.changed_at),
            rotate_after: after(KeyState::Next, self.configured.publish_window),
            retire_after: after(KeyState::Verifying, self.configured.needed_after_signing()),
        }
    }
}

impl KeyStatus {
    fn undated(kid: &str, algorithm: &str, state: KeyState) -> Self {
        Self {
            kid: kid.to_owned(),
            algorithm: algorithm.to_owned(),
            state,
            created: None,
            changed: None,
            rotate_after: None,
            retire_after: None,
        }
    }
}
