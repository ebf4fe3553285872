//! How long the rows of sessions, tokens and events are of use, and their going.
//!
//! What is deleted is deleted by the earlier of two clocks where there are two, the database's and ours: a server whose
//! clock is ahead of all others forgets nothing that they still need.

use std::sync::atomic::Ordering;

use countersign_domain::EndReason;
use countersign_store::Ending;
use jiff::{SignedDuration, Timestamp};

use crate::{Auth, Error};

/// Clocks that differ by less agree.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// In so many microseconds at the most the database's clock is looked at again.
const LOOKED_AT_WITHIN: i64 = 120_000_000;

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
        self.compare_clocks().await?;
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

    /// Looks at the database's clock, where it has one, and says so when ours begins to differ.
    pub(crate) async fn compare_clocks(&self) -> Result<(), Error> {
        let Some(theirs) = self.store.clock().await? else { return Ok(()) };
        self.database_time.store(theirs.as_microsecond(), Ordering::Relaxed);
        let ahead = self.clock.now().duration_since(theirs);
        let differ = ahead.abs() > TOLERANCE;
        if differ && !self.clocks_differ.swap(differ, Ordering::Relaxed) {
            let (secs, which) =
                (ahead.abs().as_secs(), if ahead.is_negative() { "behind" } else { "ahead of" });
            tracing::warn!(
                "the clock of this machine is {secs} s {which} the database's: have both follow NTP"
            );
        }
        self.clocks_differ.store(differ, Ordering::Relaxed);
        Ok(())
    }

    /// The earlier of the time by our clock and the time by the database's, as far as that can be known.
    pub(crate) fn by_both_clocks(&self, now: Timestamp) -> Timestamp {
        let theirs = self.database_time.load(Ordering::Relaxed).saturating_add(LOOKED_AT_WITHIN);
        Timestamp::from_microsecond(theirs).map_or(now, |theirs| now.min(theirs))
    }

    /// The time such that a token recorded with that `exp`, or an earlier one, can no longer be used.
    ///
    /// A sliding token keeps its id and its row, with the first `exp`, through every refresh (Simple JWT's rows do). Its
    /// last refresh is possible until `refresh_exp`, and the result good for as long as it was at first: so a row
    /// outlives its `exp` by the refresh lifetime. `LEEWAY` counts for the last refresh, and again for its result.
    fn past_tokens(&self, now: Timestamp) -> Timestamp {
        let tokens = self.tokens();
        let settings = tokens.settings();
        before(
            self.by_both_clocks(now),
            [settings.sliding_refresh_lifetime, settings.leeway, settings.leeway],
        )
    }

    /// The time such that no token of a session that ended or expired then can still be good. A Django beside us may have
    /// continued the session just before, for one more lifetime of a refresh token.
    fn past_sessions(&self, now: Timestamp) -> Timestamp {
        let tokens = self.tokens();
        let settings = tokens.settings();
        let refresh = settings.refresh_lifetime.max(settings.sliding_refresh_lifetime);
        let access = settings.access_lifetime.max(settings.sliding_lifetime);
        before(self.by_both_clocks(now), [refresh, access, settings.leeway, settings.leeway])
    }
}

fn before<const N: usize>(now: Timestamp, durations: [jiff::SignedDuration; N]) -> Timestamp {
    durations.into_iter().fold(now, |time, duration| time.checked_sub(duration).unwrap_or(Timestamp::MIN))
}
