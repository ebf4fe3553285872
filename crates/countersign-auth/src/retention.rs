//! How long the rows of sessions and tokens are of use, and their going.

use countersign_domain::EndReason;
use countersign_store::Ending;
use jiff::Timestamp;

use crate::{Auth, Error};

/// How much a flush has deleted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Sessions.
    pub sessions: usize,
    /// Tokens recorded in Django's tables.
    pub tokens: usize,
}

impl Auth {
    /// How many rows of sessions and of recorded tokens are past any use.
    pub async fn count_expired(&self) -> Result<i64, Error> {
        let now = self.clock.now();
        Ok(self.store.count_expired(self.past_tokens(now), self.past_sessions(now)).await?)
    }

    /// Deletes the rows of sessions and of recorded tokens that are past any use, a thousand at a time, and tells
    /// `progress` after each batch.
    pub async fn flush_expired_tokens(&self, mut progress: impl FnMut(Flushed)) -> Result<Flushed, Error> {
        let now = self.clock.now();
        let mut flushed = Flushed::default();
        let mut next_token = Some(0);
        while let Some(after) = next_token {
            let (deleted, next) = self.store.flush_tokens(after, self.past_tokens(now)).await?;
            flushed.tokens += deleted;
            next_token = next;
            progress(flushed);
        }
        let mut next_session = Some(String::new());
        while let Some(after) = next_session {
            let (deleted, next) = self.store.flush_sessions(after, self.past_sessions(now)).await?;
            flushed.sessions += deleted;
            next_session = next;
            progress(flushed);
        }
        Ok(flushed)
    }

    /// The end of a user's sessions, now.
    pub(crate) fn ending(&self, because: EndReason) -> Ending {
        let at = self.clock.now();
        Ending { at, because, past: self.past_tokens(at) }
    }

    /// Keeps sessions and recorded tokens few. That it fails is no reason to refuse what is recorded beside it.
    pub(crate) async fn sweep(&self, now: Timestamp) {
        let swept = self.store.sweep(self.past_sessions(now), self.past_tokens(now)).await;
        if let Err(error) = swept {
            tracing::debug!(%error, "expired rows were not swept");
        }
    }

    /// The time such that a token recorded with that `exp`, or an earlier one, can no longer be used.
    ///
    /// A sliding token keeps its id and its row, with the first `exp`, through every refresh (Simple JWT's rows do). Its
    /// last refresh is possible until `refresh_exp`, and the result good for as long as it was at first: so a row
    /// outlives its `exp` by the refresh lifetime. `LEEWAY` counts for the last refresh, and again for its result.
    fn past_tokens(&self, now: Timestamp) -> Timestamp {
        let tokens = self.tokens();
        let settings = tokens.settings();
        before(now, [settings.sliding_refresh_lifetime, settings.leeway, settings.leeway])
    }

    /// The time such that no token of a session that ended or expired then can still be good. A Django beside us may have
    /// continued the session just before, for one more lifetime of a refresh token.
    fn past_sessions(&self, now: Timestamp) -> Timestamp {
        let tokens = self.tokens();
        let settings = tokens.settings();
        let refresh = settings.refresh_lifetime.max(settings.sliding_refresh_lifetime);
        let access = settings.access_lifetime.max(settings.sliding_lifetime);
        before(now, [refresh, access, settings.leeway, settings.leeway])
    }
}

fn before<const N: usize>(now: Timestamp, durations: [jiff::SignedDuration; N]) -> Timestamp {
    durations.into_iter().fold(now, |time, duration| time.checked_sub(duration).unwrap_or(Timestamp::MIN))
}
