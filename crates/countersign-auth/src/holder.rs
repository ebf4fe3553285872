//! Whom a token names, and which session it belongs to.

use countersign_domain::{Session, SessionId, User};
use countersign_store::{Held, Named};
use countersign_token::{Claims, session_of};

use crate::{Auth, Error};

/// Whom a token names, read fresh from the database.
pub(crate) struct Holder {
    /// `None` if the token names nobody, or nobody who exists.
    pub(crate) user: Option<User>,
    pub(crate) session: SessionOf,
    /// Whether the token itself is blacklisted, if that was asked; as of the moment of the rest.
    pub(crate) is_blacklisted: bool,
}

/// The session of a token.
#[expect(clippy::large_enum_variant, reason = "it lives for one request, and the large one is the usual one")]
pub(crate) enum SessionOf {
    /// The token was made without one: by a Django, or while there were none.
    None,
    /// It is over: its row is gone, or it is another user's.
    Gone,
    /// This one, which may have ended.
    Found(Session),
}

impl SessionOf {
    pub(crate) fn found(&self) -> Option<&Session> {
        match self {
            Self::Found(session) => Some(session),
            Self::None | Self::Gone => None,
        }
    }
}

impl Holder {
    /// Whether access tokens of the session are refused: it has ended (but for [blacklisting]), or its user is deleted.
    ///
    /// [blacklisting]: countersign_domain::EndReason::Blacklisted
    pub(crate) fn refuses_access(&self) -> bool {
        match &self.session {
            SessionOf::None => false,
            SessionOf::Gone => true,
            SessionOf::Found(session) => session.refuses_access() || self.user.is_none(),
        }
    }
}

impl Auth {
    /// Whom a token names, and the session that its claim names; and whether it is blacklisted, if its id is given.
    pub(crate) async fn holder_of(&self, claims: &Claims, jti: Option<&str>) -> Result<Holder, Error> {
        let named = self.session_id_of(claims);
        let held = self.find_held(claims, named.as_ref(), jti).await?;
        let session = match (named, held.session) {
            (Some(_), session) => self.named_session(session, held.user.as_ref()),
            (None, _) => SessionOf::None,
        };
        Ok(Holder { user: held.user, session, is_blacklisted: held.is_blacklisted })
    }

    /// The same for a refresh token with this id: one made without a session may have been exchanged for one with a
    /// session of its own.
    pub(crate) async fn holder_of_refresh(&self, claims: &Claims, jti: &str) -> Result<Holder, Error> {
        if self.session_id_of(claims).is_none() {
            let own = self.own_session_id(jti);
            let held = self.find_held(claims, own.as_ref(), Some(jti)).await?;
            let session = own_session(held.session, held.user.as_ref());
            return Ok(Holder { user: held.user, session, is_blacklisted: held.is_blacklisted });
        }
        let holder = self.holder_of(claims, Some(jti)).await?;
        if !matches!(holder.session, SessionOf::None) {
            return Ok(holder);
        }
        let Some(own) = self.own_session_id(jti) else { return Ok(holder) };
        // Read after the blacklist: an exchange writes both at once, and what it blacklists it also notes as exchanged.
        let session = own_session(self.store.find_session(&own).await?, holder.user.as_ref());
        Ok(Holder { session, ..holder })
    }

    async fn find_held(
        &self,
        claims: &Claims,
        session: Option<&SessionId>,
        jti: Option<&str>,
    ) -> Result<Held, Error> {
        let (session, jti) = (session.cloned(), jti.map(str::to_owned));
        Ok(self.store.find_held(Named { user: self.named_user(claims), session, jti }).await?)
    }

    /// A session without a row has ended long ago. Only a Django beside us may have continued one beyond what its row
    /// said: then the token is as good as one without a session.
    fn named_session(&self, session: Option<Session>, user: Option<&User>) -> SessionOf {
        match session {
            Some(session) if is_of(&session, user) => SessionOf::Found(session),
            None if self.rules.django_peer => SessionOf::None,
            Some(_) | None => SessionOf::Gone,
        }
    }

    /// The id of the session that a token names.
    pub(crate) fn session_id_of(&self, claims: &Claims) -> Option<SessionId> {
        let tokens = self.tokens();
        let claim = claims.get(tokens.settings().session_claim.as_deref()?)?;
        SessionId::parse(claim.as_str()?)
    }

    /// The id of the session that begins when a refresh token without one is exchanged, unless sessions are left out.
    pub(crate) fn own_session_id(&self, jti: &str) -> Option<SessionId> {
        self.has_sessions().then(|| SessionId::parse(&session_of(jti))).flatten()
    }
}

/// The session that begins when a token without one is exchanged; there is none before.
fn own_session(session: Option<Session>, user: Option<&User>) -> SessionOf {
    match session {
        Some(session) if is_of(&session, user) => SessionOf::Found(session),
        Some(_) => SessionOf::Gone,
        None => SessionOf::None,
    }
}

/// Whether a session is this user's. (Who is deleted has none any more, which the caller sees.)
fn is_of(session: &Session, user: Option<&User>) -> bool {
    user.is_none_or(|user| user.id == session.user)
}
