//! The sessions of a user: which there are, which one a token belongs to, and ending one.

use countersign_domain::{Actor, EndReason, EventKind, Presented, Rotation, Session, SessionId, User};
use countersign_token::{generation_of, refresh_jti, session_of};
use jiff::Timestamp;

use crate::{Auth, Error, Origin, new_jti};

/// The most sessions that a list shows.
const MAX_LISTED: u32 = 1000;
/// Sessions that are noted as being in use by one statement, so that other writes do not wait long.
const SEEN_TOGETHER: usize = 500;

impl Auth {
    /// The sessions of a user that have not ended or expired, the newest first; no more than the newest thousand.
    pub async fn list_sessions(&self, user: &User) -> Result<Vec<Session>, Error> {
        Ok(self.store.list_sessions(user.id, self.clock.now(), MAX_LISTED).await?)
    }

    /// Ends one session of a user: neither its refresh token nor its access tokens are accepted from now on.
    pub async fn end_session(
        &self,
        user: &User,
        id: &str,
        because: EndReason,
        origin: &Origin<'_>,
    ) -> Result<(), Error> {
        let id = SessionId::parse(id).ok_or(Error::SessionNotFound)?;
        let event = self.event(EventKind::SessionEnded, Actor::User, origin).about(user);
        let (at, store) = (event.at, self.store.noting(event.with("because", because.name())));
        let ended = store.end_session(id.clone(), user.id, at, because, refresh_jti).await?;
        if !ended {
            return Err(Error::SessionNotFound);
        }
        self.count_ended(because, 1);
        tracing::info!(user.id = %user.id, session.id = %id, session.end = because.name(), "session ended");
        Ok(())
    }

    /// Has it noted that a session is in use, at most once a minute: a moment later, so that no request waits for a commit
    /// that it does not need.
    pub(crate) fn touch(&self, session: Option<&Session>, now: Timestamp) {
        if let Some(session) = session.filter(|session| session.is_to_be_seen(now)) {
            self.pending.has_seen(session);
        }
    }

    /// Notes which sessions were in use since the last time. Those of which it fails are noted at their next use.
    pub(crate) async fn note_seen(&self, mut seen: Vec<SessionId>, now: Timestamp) {
        let since = now.checked_sub(Session::SEEN_EVERY).unwrap_or(Timestamp::MIN);
        while !seen.is_empty() {
            let some = seen.split_off(seen.len().saturating_sub(SEEN_TOGETHER));
            if let Err(error) = self.store.touch_sessions(some, since, now).await {
                tracing::debug!(%error, "the last use of sessions was not noted");
                return;
            }
        }
    }

    /// A new session's id, unless sessions are left out.
    pub(crate) fn new_session_id(&self) -> Option<SessionId> {
        self.has_sessions().then(|| SessionId::parse(&new_jti())).flatten()
    }

    pub(crate) fn has_sessions(&self) -> bool {
        self.tokens().settings().session_claim.is_some()
    }

    /// What a refresh token with this id means for its session.
    ///
    /// One that another service made for the session, and that is blacklisted, was exchanged or logged out of before.
    pub(crate) fn rotation(
        &self,
        session: &Session,
        jti: &str,
        is_blacklisted: bool,
        now: Timestamp,
    ) -> Rotation {
        let (presented, rules) = (presented(session, jti), &self.rules);
        let ends = rules.blacklist_after_rotation;
        match session.rotation(presented, jti, now, rules.refresh_grace, ends) {
            Rotation::Advance if presented == Presented::Foreign && is_blacklisted && ends => Rotation::Reuse,
            rotation => rotation,
        }
    }
}

/// Which refresh token of the session has this id. The session of a token made without one is known by that token.
pub(crate) fn presented(session: &Session, jti: &str) -> Presented {
    let first = || (session_of(jti) == session.id.as_str()).then_some(0);
    generation_of(session.id.as_str(), jti).or_else(first).map_or(Presented::Foreign, Presented::Generation)
}
