//! Which sessions were in use: noted a moment later, so that no request waits for a commit that it does not need. What cannot be
//! noted then, or was not when the server was killed, is noted at a later use.

use std::collections::HashSet;
use std::convert::Infallible;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_domain::{Session, SessionId};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::Auth;

/// How often what waits is noted.
const INTERVAL: Duration = Duration::from_secs(1);
/// Sessions that wait to be noted, at the most; of more, that is noted at a later use.
const MOST: usize = 10_000;
/// Sessions that are noted at once, by a statement each: nobody waits for another's row, and on SQLite they share a commit.
const AT_ONCE: usize = 64;

/// The sessions that wait to be noted.
#[derive(Default)]
pub(crate) struct LastSeen(Mutex<HashSet<SessionId>>);

impl LastSeen {
    fn add(&self, id: &SessionId) {
        self.with(|seen| {
            if seen.len() < MOST && !seen.contains(id) {
                seen.insert(id.clone());
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashSet<SessionId>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Auth {
    /// Has it noted that a session is in use, at most once a minute.
    pub(crate) fn touch(&self, session: Option<&Session>, now: Timestamp) {
        if let Some(session) = session.filter(|session| session.is_to_be_seen(now)) {
            self.last_seen.add(&session.id);
        }
    }

    /// The same sessions, of which those that wait to be noted are seen now.
    pub(crate) fn as_seen(&self, mut sessions: Vec<Session>, now: Timestamp) -> Vec<Session> {
        self.last_seen.with(|seen| {
            for session in sessions.iter_mut().filter(|session| seen.contains(&session.id)) {
                session.last_seen_at = now;
            }
        });
        sessions
    }

    /// Notes which sessions were in use since the last time. To be called when a server ends; before, it is done once a second.
    pub async fn note_last_seen(&self) {
        let mut seen: Vec<_> = self.last_seen.with(mem::take).into_iter().collect();
        let now = self.clock.now();
        let since = now.checked_sub(Session::SEEN_EVERY).unwrap_or(Timestamp::MIN);
        while !seen.is_empty() {
            let mut noting = JoinSet::new();
            for id in seen.split_off(seen.len().saturating_sub(AT_ONCE)) {
                let store = self.store.clone();
                noting.spawn(async move { store.touch_session(id, since, now).await });
            }
            let noted = noting.join_all().await;
            if let Some(error) = noted.into_iter().find_map(Result::err) {
                tracing::debug!(%error, "the last use of sessions was not noted");
                return;
            }
        }
    }

    /// Notes once a second which sessions were in use: to be run beside the server.
    pub async fn keep_noting_last_seen(&self) -> Infallible {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.note_last_seen().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_wait_than_there_is_room_for_and_none_twice() {
        let seen = LastSeen::default();
        for number in 0..MOST + 10 {
            let id = SessionId::parse(&format!("{number:032x}")).expect("it is one");
            seen.add(&id);
            seen.add(&id);
            assert_eq!(seen.with(|seen| seen.len()), MOST.min(number + 1));
        }
    }
}
