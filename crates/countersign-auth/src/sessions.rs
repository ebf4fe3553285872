//! The sessions of a user: which there are, which one a token belongs to, and ending one.

use countersign_domain::{Actor, EndReason, EventKind, Presented, Rotation, Session, SessionId, User};
use countersign_token::{generation_of, refresh_jti, session_of};
use jiff::Timestamp;

use crate::{Auth, Error, Origin, new_jti};

/// The most sessions that a list shows.
const MAX_LISTED: u32 = 1000;

impl Auth {
    /// The sessions of a user that have not ended or expired, the newest first; no more than the newest thousand.
    pub async fn list_sessions(&self, user: &User) -> Result<Vec<Session>, Error> {
        let now = self.clock.now();
        Ok(self.as_seen(self.store.list_sessions(user.id, now, MAX_LISTED).await?))
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
