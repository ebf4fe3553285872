//! Verifying: whether a token of any kind is good.

use countersign_token::{Kind, Refusal, generation_of};

use crate::error::Submitted;
use crate::{Auth, Error, parse_token_field};

impl Auth {
    /// Succeeds if the token's signature and times are right and its session has not ended. Blacklist and exchange of a
    /// refresh token count only with `BLACKLIST_AFTER_ROTATION`, as in Simple JWT.
    pub fn verify(&self, token: Submitted) -> Result<(), Error> {
        let token = parse_token_field("token", token)?;
        let claims = self.validate(&token, Kind::Untyped, self.clock.now())?;
        let session = match self.find_session_of(&claims) {
            Err(Error::Token(Refusal::Blacklisted)) => return Err(Error::VerifiedTokenBlacklisted),
            found => found?,
        };
        if session.as_ref().is_some_and(countersign_domain::Session::refuses_access) {
            return Err(Error::VerifiedTokenBlacklisted);
        }
        let tokens = self.tokens();
        let jti = claims.jti(&tokens.settings().jti_claim);
        let Some(jti) = jti.filter(|_| self.rules.blacklist_after_rotation) else { return Ok(()) };
        let is_exchanged = session.is_some_and(|session| {
            generation_of(session.id.as_str(), jti).is_some_and(|generation| generation < session.generation)
        });
        if is_exchanged || self.store.is_blacklisted(jti)? {
            return Err(Error::VerifiedTokenBlacklisted);
        }
        Ok(())
    }
}
