//! Refreshing: a refresh token for an access token, a sliding token for a later one.

use std::fmt;

use countersign_domain::UserId;
use countersign_store::Blacklisting;
use countersign_token::{Claims, Kind, Refusal};
use jiff::Timestamp;

use crate::error::Submitted;
use crate::{Auth, Error, new_jti, parse_token_field};

/// What a refresh hands out.
pub struct Refreshed {
    /// For protected endpoints.
    pub access: String,
    /// The successor of the presented token, when refresh tokens rotate.
    pub refresh: Option<String>,
}

/// Tokens are not printed.
impl fmt::Debug for Refreshed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Refreshed(..)")
    }
}

impl Auth {
    /// Exchanges a refresh token for an access token, and with `ROTATE_REFRESH_TOKENS` for a successor too.
    pub async fn refresh(&self, refresh: Submitted) -> Result<Refreshed, Error> {
        let token = parse_token_field("refresh", refresh)?;
        let now = self.clock.now();
        let claims = self.validate(&token, Kind::Refresh, now)?;
        let user = self.active_user_of(&claims)?;
        self.tokens().check_can_be_continued(&claims)?;
        let access = self.tokens().access_from(&claims, &new_jti(), now);
        let successor = if self.rules.rotate_refresh_tokens {
            Some(self.rotate(&claims, &token, user, now).await?)
        } else {
            None
        };
        Ok(Refreshed { access: self.tokens().encode(&access), refresh: successor })
    }

    /// Extends a sliding token whose refresh window is still open.
    pub fn refresh_sliding(&self, token: Submitted) -> Result<String, Error> {
        let token = parse_token_field("token", token)?;
        let now = self.clock.now();
        let claims = self.validate(&token, Kind::Sliding, now)?;
        self.tokens().check_can_be_continued(&claims)?;
        Ok(self.tokens().encode(&self.tokens().sliding_refreshed(&claims, now)?))
    }

    /// The id of the token's user; `None` for a token that names none, which Simple JWT lets pass.
    fn active_user_of(&self, claims: &Claims) -> Result<Option<UserId>, Error> {
        if !claims.is_truthy(&self.tokens().settings().user_id_claim) {
            return Ok(None);
        }
        match self.find_user_of(claims)? {
            Some(user) if user.is_active || !self.rules.check_user_is_active => Ok(Some(user.id)),
            _ => Err(Error::NoActiveAccountForToken),
        }
    }

    async fn rotate(
        &self,
        old: &Claims,
        old_token: &str,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let successor = self.tokens().rotated(old, &new_jti(), now);
        let encoded = self.tokens().encode(&successor);
        let row = self.token_row(&successor, || encoded.clone(), user, now)?;
        let record = async {
            if self.rules.blacklist_after_rotation {
                let old_row = self.token_row(old, || self.tokens().rewritten(old, old_token), user, now)?;
                Ok::<_, Error>(self.store.replace_token(old_row, row, now).await? == Blacklisting::Done)
            } else {
                Ok(self.store.record_successor(self.jti(old)?.to_owned(), row).await?)
            }
        };
        // Whatever was seen before, the token may have been used up or ended meanwhile.
        let (is_recorded, ()) = tokio::join!(record, self.sweep(now));
        if is_recorded? { Ok(encoded) } else { Err(Refusal::Blacklisted.into()) }
    }
}
