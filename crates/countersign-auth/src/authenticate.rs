//! Authenticating a request by its bearer token.

use countersign_domain::User;
use countersign_token::Claims;
use jiff::Timestamp;

use crate::{Auth, Error};

impl Auth {
    /// The user whose token this is, read fresh from the database.
    pub fn authenticate(&self, token: &str) -> Result<User, Error> {
        let claims = self.validate_bearer(token, self.clock.now())?;
        if claims.get(&self.tokens().settings().user_id_claim).is_none() {
            return Err(Error::NoUserIdentification);
        }
        let user = self.find_user_of(&claims)?.ok_or(Error::UserNotFound)?;
        if self.rules.check_user_is_active && !user.is_active {
            return Err(Error::UserInactive);
        }
        match self.fingerprint(&user) {
            Some(fingerprint) if !self.carries(&claims, &fingerprint) => Err(Error::PasswordChanged),
            _ => Ok(user),
        }
    }

    fn carries(&self, claims: &Claims, fingerprint: &str) -> bool {
        let claim = claims.get(&self.tokens().settings().revoke_token_claim);
        claim.and_then(|value| value.as_str()) == Some(fingerprint)
    }

    fn validate_bearer(&self, token: &str, now: Timestamp) -> Result<Claims, Error> {
        let mut refusals = Vec::new();
        for &kind in &self.rules.auth_token_classes {
            match self.validate(token, kind, now) {
                Ok(claims) => return Ok(claims),
                Err(Error::Token(refusal)) => refusals.push((kind, refusal)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::BearerToken(refusals))
    }
}
