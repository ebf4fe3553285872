//! Authenticating a request by its bearer token.

use countersign_domain::{SessionId, User};
use countersign_token::{Claims, Kind, Refusal};
use jiff::Timestamp;

use crate::holder::Holder;
use crate::{Auth, Error, Origin};

/// Who calls a protected endpoint.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose token it is, read fresh from the database.
    pub user: User,
    /// The session that the token belongs to; `None` for one made without.
    pub session: Option<SessionId>,
}

impl Auth {
    /// Whose token this is. The token of a session that has ended is refused as a blacklisted one.
    pub async fn authenticate(&self, token: &str, origin: &Origin<'_>) -> Result<Caller, Error> {
        let caller = self.caller_with(token, origin).await;
        self.with_key_noted(caller, token, origin)
    }

    async fn caller_with(&self, token: &str, origin: &Origin<'_>) -> Result<Caller, Error> {
        let now = self.clock.now();
        let (kind, claims, holder) = self.validate_bearer(token, now).await?;
        if claims.get(&self.tokens().settings().user_id_claim).is_none() {
            return Err(Error::NoUserIdentification);
        }
        let user = holder.user.as_ref().ok_or(Error::UserNotFound)?;
        if self.rules.check_user_is_active && !user.is_active {
            return Err(Error::UserInactive);
        }
        if self.fingerprint(user).is_some_and(|fingerprint| !self.carries(&claims, &fingerprint)) {
            return Err(Error::PasswordChanged);
        }
        // With `AUTH_TOKEN_CLASSES` a refresh token may call, too.
        let jti = claims.jti(&self.tokens().settings().jti_claim).map(str::to_owned).unwrap_or_default();
        let session = holder.session.found();
        let is_over = kind.can_be_blacklisted() && session.is_some_and(|session| session.ended.is_some());
        if holder.refuses_access() || is_over || self.is_exchanged(&holder, &jti) {
            origin.note_session(session, &jti);
            return Err(Error::BearerToken(vec![(kind, Refusal::Blacklisted)]));
        }
        self.touch(session, now);
        let session = session.map(|session| session.id.clone());
        match holder.user {
            Some(user) => Ok(Caller { user, session }),
            None => Err(Error::UserNotFound),
        }
    }

    fn carries(&self, claims: &Claims, fingerprint: &str) -> bool {
        let tokens = self.tokens();
        let claim = claims.get(&tokens.settings().revoke_token_claim);
        claim.and_then(|value| value.as_str()) == Some(fingerprint)
    }

    async fn validate_bearer(&self, token: &str, now: Timestamp) -> Result<(Kind, Claims, Holder), Error> {
        let mut refusals = Vec::new();
        for &kind in &self.rules.auth_token_classes {
            match self.validate(token, kind, now).await {
                Ok((claims, holder)) => return Ok((kind, claims, holder)),
                Err(Error::Token(refusal)) => refusals.push((kind, refusal)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::BearerToken(refusals))
    }
}
