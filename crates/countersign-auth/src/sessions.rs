//! The sessions of a user: which there are, which one a token belongs to, and ending one.

use countersign_domain::{EndReason, Presented, Rotation, Session, SessionId, User};
use countersign_token::{Claims, Refusal, generation_of, refresh_jti, session_of};
use jiff::Timestamp;

use crate::{Auth, Error, new_jti};

/// The most sessions that a list shows.
const MAX_LISTED: u32 = 1000;

impl Auth {
    /// The sessions of a user that have not ended or expired, the newest first.
    pub fn list_sessions(&self, user: &User) -> Result<Vec<Session>, Error> {
        Ok(self.store.list_sessions(user.id, self.clock.now(), MAX_LISTED)?)
    }

    /// Ends one session of a user: neither its refresh token nor its access tokens are accepted from now on.
    pub async fn end_session(&self, user: &User, id: &str, because: EndReason) -> Result<(), Error> {
        let id = SessionId::parse(id).ok_or(Error::SessionNotFound)?;
        let ended =
            self.store.end_session(id.clone(), user.id, self.clock.now(), because, refresh_jti).await?;
        if !ended {
            return Err(Error::SessionNotFound);
        }
        tracing::info!(user.id = %user.id, session.id = %id, session.end = because.name(), "session ended");
        Ok(())
    }

    /// Notes that a session is in use, at most once a minute. That it fails is no reason to refuse a request.
    pub(crate) async fn touch(&self, session: Option<&Session>, now: Timestamp) {
        let Some(session) = session.filter(|session| session.is_to_be_seen(now)) else { return };
        if let Err(error) = self.store.touch_session(session.id.clone(), now).await {
            tracing::debug!(%error, "a session's last use was not noted");
        }
    }

    /// A new session's id, unless sessions are left out.
    pub(crate) fn new_session_id(&self) -> Option<SessionId> {
        self.has_sessions().then(|| SessionId::parse(&new_jti())).flatten()
    }

    pub(crate) fn has_sessions(&self) -> bool {
        self.tokens().settings().session_claim.is_some()
    }

    /// The id of the session that a token names.
    pub(crate) fn session_id_of(&self, claims: &Claims) -> Option<SessionId> {
        let tokens = self.tokens();
        let claim = claims.get(tokens.settings().session_claim.as_deref()?)?;
        SessionId::parse(claim.as_str()?)
    }

    /// The id of the session that a refresh token continues: for one made without a session, a new one of its own.
    pub(crate) fn continued_session_id(&self, claims: &Claims, jti: &str) -> Option<SessionId> {
        let named = self.session_id_of(claims);
        named.or_else(|| self.has_sessions().then(|| SessionId::parse(&session_of(jti))).flatten())
    }

    /// The session that a token names; `None` for a token made without one, by a Django or before there were sessions.
    ///
    /// A session that has no row any more has ended long ago, so its token is refused. Only a Django beside us may have
    /// continued a session beyond what its row says; and of a user who is deleted, that is the reason to give.
    pub(crate) fn find_session_of(&self, claims: &Claims) -> Result<Option<Session>, Error> {
        let Some(id) = self.session_id_of(claims) else { return Ok(None) };
        match self.store.find_session(&id)? {
            None if !self.rules.django_peer && self.find_user_of(claims)?.is_some() => {
                Err(Refusal::Blacklisted.into())
            }
            found => Ok(found),
        }
    }

    /// What a refresh token with this id means for its session.
    pub(crate) fn rotation(&self, session: &Session, jti: &str, now: Timestamp) -> Rotation {
        let Self { rules, .. } = self;
        session.rotation(
            presented(session, jti),
            jti,
            now,
            rules.refresh_grace,
            rules.blacklist_after_rotation,
        )
    }
}

/// Which refresh token of the session has this id.
pub(crate) fn presented(session: &Session, jti: &str) -> Presented {
    generation_of(session.id.as_str(), jti).map_or(Presented::Foreign, Presented::Generation)
}
