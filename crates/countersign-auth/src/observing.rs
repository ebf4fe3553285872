//! Counting what happens, and looking now and then at what only the database knows.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_domain::EndReason;
use countersign_metrics::{ByKeyState, Form, Metrics};
use countersign_store::{KeyState, StoreError};
use jiff::Timestamp;

use crate::{Auth, Error, KeyStatus};

/// Between two looks at the events that have come.
const PAUSE: Duration = Duration::from_secs(5);
/// Between two looks at what else is counted in the database, of which one may read a whole table: in those pauses.
const COUNTED_EVERY: u32 = 12;

impl Auth {
    /// Where everything is counted.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.store.metrics()
    }

    /// All metrics as Prometheus reads them, and how the pool is used at this moment.
    #[must_use]
    pub fn metrics_text(&self, form: Form) -> String {
        self.store.note_pool();
        self.metrics().text(form)
    }

    /// Counts events every few seconds, and sessions and keys once a minute, for ever: to be run beside the server, where
    /// anybody wants to know.
    pub async fn keep_counting(&self) -> Infallible {
        let mut looks: u32 = 0;
        loop {
            let mut counted = self.count_events().await;
            if looks.is_multiple_of(COUNTED_EVERY) {
                counted = counted.and(self.count_sessions().await).and(self.look_at_key_ages().await);
            }
            looks = looks.wrapping_add(1);
            if let Err(error) = counted {
                tracing::debug!(%error, "events, sessions and keys were not counted");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn count_sessions(&self) -> Result<(), Error> {
        let (store, now) = (self.store.clone(), self.clock.now());
        let counted = in_nobodys_way(async move { store.count_live_sessions(now).await }).await?;
        self.metrics().sessions_live.set(counted);
        Ok(())
    }

    /// Adds the events since the last look, or since this server started.
    async fn count_events(&self) -> Result<(), Error> {
        let (store, counted) = (self.store.clone(), self.counted_events.load(Ordering::Relaxed));
        let by_kind = in_nobodys_way(async move { store.count_events_after(counted).await }).await?;
        for (kind, count, last) in by_kind {
            if let Some(events) = self.metrics().events.of(&kind) {
                events.inc_by(count.unsigned_abs());
            }
            self.counted_events.fetch_max(last, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn look_at_key_ages(&self) -> Result<(), Error> {
        let keys = match self.key_ring.list().await {
            Ok(keys) => keys,
            Err(error) => return Err(Error::KeysOutOfReach(error.to_string())),
        };
        for state in [KeyState::Next, KeyState::Signing, KeyState::Verifying] {
            let of_state = || keys.iter().filter(|key| key.state == state);
            let since = of_state().filter_map(|key: &KeyStatus| key.changed).min();
            let metrics = self.metrics();
            set(&metrics.keys, state, i64::try_from(of_state().count()).unwrap_or(i64::MAX));
            set(&metrics.keys_changed, state, since.map_or(0, Timestamp::as_second));
        }
        Ok(())
    }

    pub(crate) fn count_ended(&self, because: EndReason, sessions: usize) {
        let ended = &self.metrics().sessions_ended;
        let counter = match because {
            EndReason::LoggedOut => &ended.logged_out,
            EndReason::Blacklisted => &ended.blacklisted,
            EndReason::RefreshTokenReused => &ended.refresh_token_reused,
            // The command line does that, in a process of its own.
            EndReason::PasswordChanged | EndReason::Deactivated | EndReason::Operator => return,
        };
        counter.inc_by(u64::try_from(sessions).unwrap_or(u64::MAX));
    }

    /// Counts a refresh: whether its outcome had been handed out before, or why it was refused.
    pub(crate) fn count_refresh(&self, outcome: Result<bool, &Error>) {
        let refreshes = &self.metrics().refreshes;
        let counter = match outcome {
            Ok(false) => &refreshes.done,
            Ok(true) => &refreshes.repeated,
            Err(Error::RefreshTokenReused) => &refreshes.reuse_detected,
            Err(Error::Overloaded | Error::KeysOutOfReach(_) | Error::Store(_)) => &refreshes.failed,
            Err(_) => &refreshes.refused,
        };
        counter.inc();
    }
}

/// On a thread of its own: an SQLite file is read in the thread that asks.
async fn in_nobodys_way<T: Send + 'static>(
    asked: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, Error> {
    let runtime = tokio::runtime::Handle::current();
    let asked = tokio::task::spawn_blocking(move || runtime.block_on(asked)).await;
    Ok(asked.unwrap_or(Err(StoreError::NotCommitted))?)
}

fn set(gauges: &ByKeyState, state: KeyState, value: i64) {
    let gauge = match state {
        KeyState::Next => &gauges.next,
        KeyState::Signing => &gauges.signing,
        KeyState::Verifying => &gauges.verifying,
        KeyState::Retired => return,
    };
    gauge.set(value);
}
