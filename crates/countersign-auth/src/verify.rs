//! Verifying: whether a token of any kind is good.

use countersign_token::Kind;

use crate::error::Submitted;
use crate::{Auth, Error, parse_token_field};

impl Auth {
    /// Succeeds if the token's signature and times are right. The blacklist is looked at only with
    /// `BLACKLIST_AFTER_ROTATION`, as in Simple JWT.
    pub fn verify(&self, token: Submitted) -> Result<(), Error> {
        let token = parse_token_field("token", token)?;
        let claims = self.validate(&token, Kind::Untyped, self.clock.now())?;
        if self.rules.blacklist_after_rotation
            && let Some(jti) = claims.jti(&self.tokens().settings().jti_claim)
            && self.store.is_blacklisted(jti)?
        {
            return Err(Error::VerifiedTokenBlacklisted);
        }
        Ok(())
    }
}
