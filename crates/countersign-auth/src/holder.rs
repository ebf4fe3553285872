//! Whom a token names, and which session it belongs to.

use countersign_domain::{Session, SessionId, User};
use countersign_token::{Claims, session_of};

use crate::{Auth, Error};

/// Whom a token names, read fresh from the database.
pub(crate) struct Holder {
    /// `None` if the token names nobody, or nobody who exists.
    pub(crate) user: Option<User>,
    pub(crate) session: SessionOf,
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
    /// Whom a token names, and the session that its claim names.
    pub(crate) async fn holder_of(&self, claims: &Claims) -> Result<Holder, Error> {
        let user = self.find_user_of(claims).await?;
        let session = match self.session_id_of(claims) {
            Some(id) => self.find_named_session(&id, user.as_ref()).await?,
            None => SessionOf::None,
        };
        Ok(Holder { user, session })
    }

    /// The same for a refresh token with this id: one made without a session may have been exchanged for one with a
    /// session of its own.
    pub(crate) async fn holder_of_refresh(&self, claims: &Claims, jti: &str) -> Result<Holder, Error> {
        let holder = self.holder_of(claims).await?;
        let (SessionOf::None, Some(id)) = (&holder.session, self.own_session_id(jti)) else {
            return Ok(holder);
        };
        let session = match self.store.find_session(&id).await? {
            Some(session) if is_of(&session, holder.user.as_ref()) => SessionOf::Found(session),
            Some(_) => SessionOf::Gone,
            None => SessionOf::None,
        };
        Ok(Holder { session, ..holder })
    }

    /// A session without a row has ended long ago. Only a Django beside us may have continued one beyond what its row
    /// said: then the token is as good as one without a session.
    async fn find_named_session(&self, id: &SessionId, user: Option<&User>) -> Result<SessionOf, Error> {
        Ok(match self.store.find_session(id).await? {
            Some(session) if is_of(&session, user) => SessionOf::Found(session),
            None if self.rules.django_peer => SessionOf::None,
            Some(_) | None => SessionOf::Gone,
        })
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

/// Whether a session is this user's. (Who is deleted has none any more, which the caller sees.)
fn is_of(session: &Session, user: Option<&User>) -> bool {
    user.is_none_or(|user| user.id == session.user)
}
