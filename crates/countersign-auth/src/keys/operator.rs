//! What the operator does with the ring in the database: generate, rotate, retire.

use countersign_domain::{Actor, Event, EventKind};
use countersign_store::{KeyRotation, KeyState, Store, StoredKey};
use countersign_token::{Algorithm, KeyError, Keys, SigningKey, VerifyingKey};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{CONFIGURED, KeyRing, KeyRingError, KeyStatus};

/// The two keys of a rotation, as they are after it.
#[derive(Debug)]
pub struct Rotated {
    /// The one that signs from now on.
    pub signing: KeyStatus,
    /// The one that signed until now.
    pub verifying: KeyStatus,
}

impl KeyRing {
    /// Makes a key and publishes it, so that it can sign once verifiers have fetched it. Refused while a key there does not
    /// open here, unless that is to be replaced: a key sealed under another `SECRET_KEY` than theirs no server could use.
    pub async fn generate(
        &self,
        algorithm: Algorithm,
        replaces_sealed: bool,
    ) -> Result<KeyStatus, KeyRingError> {
        if algorithm.is_symmetric() {
            return Err(KeyRingError::Symmetric(algorithm.name()));
        }
        let rows = self.rows().await?;
        if let Some(next) = rows.iter().find(|row| row.state == KeyState::Next) {
            return Err(KeyRingError::NextExists { kid: next.kid.clone() });
        }
        for row in rows.iter().filter(|row| row.sealed.is_some() && !replaces_sealed) {
            self.configured.sealing.open(row)?;
        }
        let (kid, pem) = new_key(algorithm)?;
        let now = self.clock.now();
        let row = StoredKey {
            sealed: Some(self.configured.sealing.seal(&kid, algorithm.name(), pem.as_bytes())),
            kid,
            algorithm: algorithm.name().to_owned(),
            state: KeyState::Next,
            created_at: now,
            changed_at: now,
        };
        let status = self.status(&row);
        let store = self.noting(EventKind::KeyMade, Actor::Operator, &row.kid);
        if !store.insert_key(row).await? {
            return Err(KeyRingError::Changed);
        }
        tracing::info!(key.id = %status.kid, key.algorithm = status.algorithm, "signing key generated");
        Ok(status)
    }

    /// Lets the next key sign; the one that signs goes on verifying. `now` does not wait for verifiers.
    pub async fn rotate(&self, now: bool) -> Result<Rotated, KeyRingError> {
        let rows = self.rows().await?;
        let next = rows.iter().find(|row| row.state == KeyState::Next).ok_or(KeyRingError::NoNext)?;
        let at = self.clock.now();
        self.check_is_published(next, at, now)?;
        self.check_can_sign(next)?;
        let signing = rows.iter().find(|row| row.state == KeyState::Signing).map(|row| row.kid.clone());
        let rotation = KeyRotation {
            next: next.kid.clone(),
            signing: signing.clone(),
            configured: (CONFIGURED, self.configured.algorithm.name()),
            at,
        };
        let store = self.noting(EventKind::KeyRotated, Actor::Operator, &next.kid);
        if !store.rotate_keys(rotation).await? {
            return Err(KeyRingError::Changed);
        }
        tracing::info!(key.id = %next.kid, "signing key rotated");
        let before = signing.as_deref().unwrap_or(CONFIGURED);
        Ok(Rotated { signing: self.find(&next.kid).await?, verifying: self.find(before).await? })
    }

    /// Ends a key that does not sign, and with it the tokens that it signed. `now` does not wait until they have expired.
    pub async fn retire(&self, kid: &str, now: bool) -> Result<KeyStatus, KeyRingError> {
        self.rows().await?; // refused where the ring is files
        let key = self.find(kid).await?;
        let at = self.clock.now();
        match (key.state, key.retire_after) {
            (KeyState::Signing, _) => return Err(KeyRingError::Signs { kid: key.kid }),
            (KeyState::Retired, _) => return Err(KeyRingError::RetiredAlready { kid: key.kid }),
            (KeyState::Verifying, Some(until)) if at < until && !now => {
                return Err(KeyRingError::StillNeeded { kid: key.kid, until });
            }
            (KeyState::Verifying | KeyState::Next, _) => {}
        }
        let store = self.noting(EventKind::KeyRetired, Actor::Operator, &key.kid);
        if !store.retire_key(key.kid, key.state, at).await? {
            return Err(KeyRingError::Changed);
        }
        tracing::info!(key.id = %kid, "signing key retired");
        self.find(kid).await
    }

    /// Seals what only a former `SECRET_KEY` opens under the current one; returns how many keys that were.
    pub async fn reseal(&self) -> Result<usize, KeyRingError> {
        if self.configured.directory.is_some() {
            return Ok(0);
        }
        let mut count = 0;
        for row in self.store.list_keys().await? {
            let Some(anew) = self.configured.sealing.sealed_anew(&row) else { continue };
            let old = row.sealed.unwrap_or_default();
            let store = self.noting(EventKind::KeyResealed, Actor::Server, &row.kid);
            if store.reseal_key(row.kid.clone(), old, anew).await? {
                tracing::info!(key.id = %row.kid, "signing key sealed anew, under the current SECRET_KEY");
                count += 1;
            }
        }
        Ok(count)
    }

    /// The store, for a change of this key.
    fn noting(&self, kind: EventKind, actor: Actor, key: &str) -> Store {
        self.store.noting(Event::new(kind, actor, self.clock.now()).with("key", key))
    }

    async fn find(&self, kid: &str) -> Result<KeyStatus, KeyRingError> {
        let found = self.list().await?.into_iter().find(|key| key.kid == kid);
        found.ok_or_else(|| KeyRingError::NotFound(kid.to_owned()))
    }

    /// What cannot sign must not come to: every start would be refused.
    fn check_can_sign(&self, next: &StoredKey) -> Result<(), KeyRingError> {
        let key = self.configured.sealing.open(next)?;
        let unusable = |error: KeyError| KeyRingError::Unusable { kid: key.name, reason: error.to_string() };
        Keys::named(key.algorithm, &key.pem).map(drop).map_err(unusable)
    }

    fn check_is_published(&self, next: &StoredKey, at: Timestamp, now: bool) -> Result<(), KeyRingError> {
        let remaining = self.configured.publish_window - at.duration_since(next.changed_at);
        if remaining.is_positive() && !now {
            return Err(KeyRingError::TooYoung { kid: next.kid.clone(), remaining });
        }
        Ok(())
    }

    /// The ring, where it can be changed.
    async fn rows(&self) -> Result<Vec<StoredKey>, KeyRingError> {
        if self.configured.directory.is_some() {
            return Err(KeyRingError::ReadOnly);
        }
        Ok(self.store.list_keys().await?)
    }
}

/// A new private key in PEM, and its name. Names that begin with a dash would look like an option on a command line.
fn new_key(algorithm: Algorithm) -> Result<(String, Zeroizing<String>), KeyRingError> {
    loop {
        let pem = SigningKey::generate_pem(algorithm)?;
        let verifying = VerifyingKey::new(algorithm, pem.as_bytes())?.named();
        if let Some(kid) = verifying.kid().filter(|kid| !kid.starts_with('-')) {
            return Ok((kid.to_owned(), pem));
        }
    }
}
