//! Authenticating a request by its bearer token.

use countersign_domain::{SessionId, User};
use countersign_token::{Claims, Kind, Refusal};
use jiff::Timestamp;

use crate::{Auth, Error};

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
    pub async fn authenticate(&self, token: &str) -> Result<Caller, Error> {
        let now = self.clock.now();
        let (kind, claims) = self.validate_bearer(token, now)?;
        if claims.get(&self.tokens().settings().user_id_claim).is_none() {
            return Err(Error::NoUserIdentification);
        }
        let user = self.find_user_of(&claims)?.ok_or(Error::UserNotFound)?;
        if self.rules.check_user_is_active && !user.is_active {
            return Err(Error::UserInactive);
        }
        if self.fingerprint(&user).is_some_and(|fingerprint| !self.carries(&claims, &fingerprint)) {
            return Err(Error::PasswordChanged);
        }
        let session = match self.find_session_of(&claims) {
            Err(Error::Token(refusal)) => return Err(Error::BearerToken(vec![(kind, refusal)])),
            found => found?,
        };
        if session.as_ref().is_some_and(countersign_domain::Session::refuses_access) {
            return Err(Error::BearerToken(vec![(kind, Refusal::Blacklisted)]));
        }
        self.touch(session.as_ref(), now).await;
        Ok(Caller { user, session: session.map(|session| session.id) })
    }

    fn carries(&self, claims: &Claims, fingerprint: &str) -> bool {
        let tokens = self.tokens();
        let claim = claims.get(&tokens.settings().revoke_token_claim);
        claim.and_then(|value| value.as_str()) == Some(fingerprint)
    }

    fn validate_bearer(&self, token: &str, now: Timestamp) -> Result<(Kind, Claims), Error> {
        let mut refusals = Vec::new();
        for &kind in &self.rules.auth_token_classes {
            match self.validate(token, kind, now) {
                Ok(claims) => return Ok((kind, claims)),
                Err(Error::Token(refusal)) => refusals.push((kind, refusal)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::BearerToken(refusals))
    }
}
