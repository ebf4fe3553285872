//! Looking, now and then, at how the stored passwords are hashed: what is common among them is what a refusal has to cost.

use std::convert::Infallible;
use std::time::Duration;

use countersign_domain::PasswordHash;
use countersign_password::Hashers;
use countersign_store::{Store, StoreError};

use crate::Auth;

/// Accounts that are looked at, of the oldest and of the newest each. All of an import are among the former.
const HALF: u32 = 1000;
/// Between two looks. Imported hashes become fewer by one a login.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Hashers that know how the stored passwords are hashed.
pub(crate) async fn known_hashers(store: &Store, hashers: &Hashers) -> Result<Hashers, StoreError> {
    let sample = store.sample_password_hashes(HALF).await?;
    Ok(hashers.knowing(sample.iter().map(PasswordHash::as_str), u64::MAX))
}

impl Auth {
    /// Looks at the stored hashes, and has refusals cost what is common among them.
    pub async fn look_at_hashes(&self) -> Result<(), StoreError> {
        let sample = self.store.sample_password_hashes(HALF).await?;
        self.hashing.know(&sample);
        Ok(())
    }

    /// Does so every ten minutes, for ever: to be run beside the server.
    pub async fn keep_knowing_hashes(&self) -> Infallible {
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Err(error) = self.look_at_hashes().await {
                tracing::debug!(%error, "the stored hashes were not looked at");
            }
        }
    }
}
