//! Keys that others changed: read anew while requests are served.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use super::{Kept, KeyRing, KeyRingError};
use crate::{Auth, Error};

/// How often keys are read anew where nobody gives word of a change, or word is lost.
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

/// The ring as it was last seen, and how the last look at it went.
pub(crate) struct LastLook {
    seen: Kept,
    /// The looks are counted.
    number: u64,
    /// Why the database did not answer it.
    out_of_reach: Option<String>,
}

impl LastLook {
    /// That of the start.
    pub(crate) fn at(seen: Kept) -> Self {
        Self { seen, number: 0, out_of_reach: None }
    }
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
        let mut last = self.kept_keys.lock().await;
        self.look(&mut last).await
    }

    /// Reads the keys anew for a token by a key that is not known: another process may have begun to sign with it.
    ///
    /// Anybody can make up such tokens, so that one look serves all who ask while another is under way, and no two are
    /// at once. But nobody is told that there is no such key by a look that began before they asked, nor by one that
    /// failed.
    pub(crate) async fn look_for_keys(&self) -> Result<(), Error> {
        let begun_before = self.looks.load(Ordering::Acquire);
        let mut last = self.kept_keys.lock().await;
        if last.number <= begun_before
            && let Err(error) = self.look(&mut last).await
        {
            tracing::debug!(%error, "the signing keys cannot be read anew");
        }
        match &last.out_of_reach {
            Some(reason) => Err(Error::KeysOutOfReach(reason.clone())),
            None => Ok(()),
        }
    }

    async fn look(&self, last: &mut LastLook) -> Result<bool, KeyRingError> {
        let number = self.looks.fetch_add(1, Ordering::AcqRel) + 1;
        let kept = self.key_ring.kept().await;
        // Not before the answer: a caller may go away while it waits.
        last.number = number;
        last.out_of_reach = match &kept {
            Err(KeyRingError::Store(error)) => Some(error.to_string()),
            _ => None,
        };
        let looked = kept.and_then(|kept| if last.seen == kept { Ok(false) } else { self.go_by(kept, last) });
        // A database that does not answer says nothing of keys.
        if last.out_of_reach.is_none() {
            self.keys_are_outdated.store(looked.is_err(), Ordering::Release);
        }
        looked
    }

    fn go_by(&self, kept: Kept, last: &mut LastLook) -> Result<bool, KeyRingError> {
        if kept.has_lost_what_signed(&last.seen) {
            return Err(KeyRingError::Directory(
                "no NAME.signing.pem is there any more; bring one back, or restart to let SECRET_KEY sign"
                    .to_owned(),
            ));
        }
        let tokens = Arc::new(self.key_ring.tokens(&kept)?);
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        last.seen = kept;
        Ok(true)
    }

    /// Reads the keys anew once a second, and at once when the database gives word of a change, for ever: to be run beside
    /// the server, and dropped with it.
    pub async fn keep_keys_current(&self) -> Infallible {
        let changed = Notify::new();
        tokio::select! {
            never = self.key_ring.store.listen_for_keys(&changed) => never,
            never = self.look_again_and_again(&changed) => never,
        }
    }

    async fn look_again_and_again(&self, changed: &Notify) -> Infallible {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = None;
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = changed.notified() => {}
            }
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
