//! Verifying: whether a token of any kind is good.

use countersign_token::Kind;

use crate::error::Submitted;
use crate::holder::{Holder, SessionOf};
use crate::sessions::presented;
use crate::{Auth, Error, parse_token_field};

impl Auth {
    /// Succeeds if the token's signature and times are right and its session has not ended. Blacklist and exchange of a
    /// refresh token count only with `BLACKLIST_AFTER_ROTATION`, as in Simple JWT.
    pub async fn verify(&self, token: Submitted) -> Result<(), Error> {
        let token = parse_token_field("token", token)?;
        let claims = self.validate(&token, Kind::Untyped, self.clock.now()).await?;
        // Without a session, Simple JWT's rules alone apply, which do not look for the user.
        let holder = match self.session_id_of(&claims) {
            Some(_) => self.holder_of(&claims).await?,
            None => Holder { user: None, session: SessionOf::None },
        };
        if holder.refuses_access() {
            return Err(Error::VerifiedTokenBlacklisted);
        }
        let tokens = self.tokens();
        let jti = claims.jti(&tokens.settings().jti_claim);
        let Some(jti) = jti.filter(|_| self.rules.blacklist_after_rotation) else { return Ok(()) };
        if self.is_exchanged(&holder, jti) || self.store.is_blacklisted(jti).await? {
            return Err(Error::VerifiedTokenBlacklisted);
        }
        Ok(())
    }

    /// Whether the token with this id was exchanged for another, which ended it.
    pub(crate) fn is_exchanged(&self, holder: &Holder, jti: &str) -> bool {
        self.rules.blacklist_after_rotation
            && holder.session.found().is_some_and(|session| session.has_exchanged(presented(session, jti)))
    }
}
