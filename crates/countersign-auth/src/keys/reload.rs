//! Keys that others changed: read anew while requests are served.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::MissedTickBehavior;

use super::{KeyRing, KeyRingError};
use crate::Auth;

/// How often keys are read anew.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long verifiers may keep the published keys at the most, however long the publish window is.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// The public keys, to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// A JWK set (RFC 7517); no shared secret is in it.
    pub json: String,
    /// For how long verifiers may keep it: at most half the publish window, so that all have a key before it signs.
    pub max_age_secs: i64,
}

impl Auth {
    /// The ring, for the operator.
    #[must_use]
    pub fn key_ring(&self) -> &KeyRing {
        &self.key_ring
    }

    /// The public keys that verify tokens at this moment.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        let half = self.key_ring.configured.publish_window / 2;
        KeySet { json: self.tokens().jwks(), max_age_secs: half.min(MAX_AGE).as_secs() }
    }

    /// Reads the keys anew, and goes by them if they have changed (true). If they cannot be used, those of before stay.
    pub async fn reload_keys(&self) -> Result<bool, KeyRingError> {
        // Held to the end, so that who read earlier does not write later.
        let mut seen = self.kept_keys.lock().await;
        let kept = self.key_ring.kept().await?;
        if *seen == kept {
            return Ok(false);
        }
        if kept.has_lost_what_signed(&seen) {
            return Err(KeyRingError::Directory(
                "no NAME.signing.pem is there any more; bring one back, or restart to let SECRET_KEY sign"
                    .to_owned(),
            ));
        }
        let tokens = Arc::new(self.key_ring.tokens(&kept)?);
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        *seen = kept;
        Ok(true)
    }

    /// Reads the keys anew once a second, for ever: to be run beside the server, and dropped with it.
    pub async fn keep_keys_current(&self) -> Infallible {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = None;
        loop {
            interval.tick().await;
            match self.reload_keys().await.map_err(|error| error.to_string()) {
                Ok(changed) => {
                    if changed {
                        tracing::info!("the signing keys have changed");
                    } else if complaint.is_some() {
                        tracing::info!("the signing keys can be read again");
                    }
                    complaint = None;
                }
                // Told once, not each second.
                Err(error) if complaint.as_ref() == Some(&error) => {}
                Err(error) => {
                    tracing::error!(
                        error,
                        "the signing keys cannot be read anew; those of before stay in use"
                    );
                    complaint = Some(error);
                }
            }
        }
    }
}
