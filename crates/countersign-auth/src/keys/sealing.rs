//! Private keys on their way into and out of the database: encrypted under `SECRET_KEY`.

use countersign_store::StoredKey;
use countersign_token::{Algorithm, Seal};
use zeroize::Zeroizing;

use super::OpenKey;
use super::error::KeyRingError;

/// The seal of `SECRET_KEY`, and those of its former values, which only open.
pub(super) struct Sealing {
    current: Seal,
    former: Vec<Seal>,
}

impl Sealing {
    pub(super) fn new(secret_key: &[u8], former: &[Zeroizing<Vec<u8>>]) -> Self {
        let former = former.iter().map(|secret| Seal::derive(secret)).collect();
        Self { current: Seal::derive(secret_key), former }
    }

    pub(super) fn seal(&self, kid: &str, algorithm: &str, pem: &[u8]) -> Vec<u8> {
        self.current.seal(pem, &label(kid, algorithm))
    }

    /// The key in a row that is in use.
    pub(super) fn open(&self, row: &StoredKey) -> Result<OpenKey, KeyRingError> {
        let kid = &row.kid;
        let unusable = || KeyRingError::Unusable {
            kid: kid.clone(),
            reason: format!("{} is no algorithm with a key pair", row.algorithm),
        };
        let algorithm = Algorithm::from_name(&row.algorithm).filter(|known| !known.is_symmetric());
        let algorithm = algorithm.ok_or_else(unusable)?;
        let seals = std::iter::once(&self.current).chain(&self.former);
        let pem = open_with(seals, row).ok_or_else(|| KeyRingError::Sealed { kid: kid.clone() })?;
        Ok(OpenKey { name: kid.clone(), algorithm, state: row.state, pem })
    }

    /// What a row is to hold instead, if only a former secret opens it.
    pub(super) fn sealed_anew(&self, row: &StoredKey) -> Option<Vec<u8>> {
        if open_with(std::iter::once(&self.current), row).is_some() {
            return None;
        }
        let pem = open_with(self.former.iter(), row)?;
        Some(self.seal(&row.kid, &row.algorithm, &pem))
    }
}

fn open_with<'a>(mut seals: impl Iterator<Item = &'a Seal>, row: &StoredKey) -> Option<Zeroizing<Vec<u8>>> {
    let (sealed, label) = (row.sealed.as_ref()?, label(&row.kid, &row.algorithm));
    seals.find_map(|seal| seal.open(sealed, &label))
}

/// What a sealed text is bound to, so that rows cannot lend each other their keys.
fn label(kid: &str, algorithm: &str) -> Vec<u8> {
    format!("{kid} {algorithm}").into_bytes()
}
