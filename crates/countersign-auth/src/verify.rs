//! Verifying: whether a token of any kind is good.

use countersign_domain::UserId;
use countersign_token::Kind;

use crate::error::Submitted;
use crate::holder::Holder;
use crate::sessions::presented;
use crate::{Auth, Error, Origin, parse_token_field};

impl Auth {
    /// Succeeds if the token's signature and times are right and its session has not ended. Blacklist and exchange of a
    /// refresh token count only with `BLACKLIST_AFTER_ROTATION`, as in Simple JWT. Tells whose it is, where that was looked for.
    pub async fn verify(&self, token: Submitted, origin: &Origin<'_>) -> Result<Option<UserId>, Error> {
        self.slow_down(self.try_to_verify(token, origin).await, origin).await
    }

    async fn try_to_verify(&self, token: Submitted, origin: &Origin<'_>) -> Result<Option<UserId>, Error> {
        let token = parse_token_field("token", token)?;
        let verified = self.verify_token(&token, origin).await;
        self.with_key_noted(verified, &token, origin)
    }

    async fn verify_token(&self, token: &str, origin: &Origin<'_>) -> Result<Option<UserId>, Error> {
        let now = self.clock.now();
        let (tokens, claims) = self.decode(token, now).await?;
        tokens.check(&claims, Kind::Untyped, now)?;
        let jti = claims.jti(&tokens.settings().jti_claim).filter(|_| self.rules.blacklist_after_rotation);
        let (is_refused, user) = match (self.session_id_of(&claims), jti) {
            (Some(_), jti) => {
                let holder = self.holder_of(&claims, jti).await?;
                let is_exchanged = jti.is_some_and(|jti| self.is_exchanged(&holder, jti));
                let is_refused = holder.refuses_access() || is_exchanged || holder.is_blacklisted;
                if is_refused {
                    origin.note_session(holder.session.found(), jti.unwrap_or_default());
                }
                (is_refused, holder.user.as_ref().map(|user| user.id))
            }
            // Without a session, Simple JWT's rules alone apply, which do not look for the user.
            (None, Some(jti)) => (self.store.is_blacklisted(jti).await?, None),
            (None, None) => (false, None),
        };
        if is_refused { Err(Error::VerifiedTokenBlacklisted) } else { Ok(user) }
    }

    /// Whether the token with this id was exchanged for another, which ended it.
    pub(crate) fn is_exchanged(&self, holder: &Holder, jti: &str) -> bool {
        self.rules.blacklist_after_rotation
            && holder.session.found().is_some_and(|session| session.has_exchanged(presented(session, jti)))
    }
}
