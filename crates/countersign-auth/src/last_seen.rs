//! Which sessions were in use: noted a moment later, so that no request waits for a commit that it does not need. What was not
//! noted when the server was killed is noted at a later use.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_domain::{Session, SessionId};
use jiff::Timestamp;
use tokio::time::MissedTickBehavior;

use crate::Auth;

/// How often what waits is noted.
const INTERVAL: Duration = Duration::from_secs(1);
/// Sessions that wait to be noted, at the most; of more, that is noted at a later use.
const MOST: usize = 10_000;
/// Sessions that are noted together.
const TOGETHER: usize = 100;

/// The sessions that wait to be noted, also while that is being done, and when they were in use.
#[derive(Default)]
pub(crate) struct LastSeen(Mutex<HashMap<SessionId, Timestamp>>);

impl LastSeen {
    fn add(&self, id: &SessionId, now: Timestamp) {
        self.with(|seen| {
            if let Some(at) = seen.get_mut(id) {
                *at = now;
            } else if seen.len() < MOST {
                seen.insert(id.clone(), now);
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<SessionId, Timestamp>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Auth {
    /// Has it noted that a session is in use, at most once a minute.
    pub(crate) fn touch(&self, session: Option<&Session>, now: Timestamp) {
        if let Some(session) = session.filter(|session| session.is_to_be_seen(now)) {
            self.last_seen.add(&session.id, now);
        }
    }

    /// The same sessions, also those that wait to be noted as they were seen.
    pub(crate) fn as_seen(&self, mut sessions: Vec<Session>) -> Vec<Session> {
        self.last_seen.with(|seen| {
            for session in &mut sessions {
                if let Some(at) = seen.get(&session.id) {
                    session.last_seen_at = session.last_seen_at.max(*at);
                }
            }
        });
        sessions
    }

    /// Notes which sessions were in use since the last time; what cannot be noted goes on waiting. To be called when a server ends;
    /// before, it is done once a second.
    pub async fn note_last_seen(&self) {
        let seen: Vec<_> =
            self.last_seen.with(|seen| seen.iter().map(|(id, at)| (id.clone(), *at)).collect());
        for some in seen.chunks(TOGETHER) {
            if let Err(error) = self.store.touch_sessions(some.to_vec(), Session::SEEN_EVERY).await {
                tracing::debug!(%error, "the last use of sessions was not noted");
                return;
            }
            self.last_seen.with(|seen| {
                for (id, _) in some {
                    seen.remove(id);
                }
            });
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
            seen.add(&id, Timestamp::UNIX_EPOCH);
            seen.add(&id, Timestamp::UNIX_EPOCH);
            assert_eq!(seen.with(|seen| seen.len()), MOST.min(number + 1));
        }
    }
}
