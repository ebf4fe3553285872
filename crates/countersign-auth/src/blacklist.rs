//! Blacklisting: ending a refresh token before it expires, as clients of Simple JWT log out.

use countersign_store::Blacklisting;
use countersign_token::{Kind, Refusal};

use crate::error::Submitted;
use crate::sessions::presented;
use crate::{Auth, Error, parse_token_field};

impl Auth {
    /// Ends a refresh token, and with the present one of a session the session. A second time is refused as any
    /// blacklisted token is. Access tokens stay good.
    pub async fn blacklist(&self, refresh: Submitted) -> Result<(), Error> {
        let token = parse_token_field("refresh", refresh)?;
        let now = self.clock.now();
        let claims = self.validate(&token, Kind::Refresh, now)?;
        let session = self.find_session_of(&claims)?;
        let jti = self.jti(&claims)?;
        let is_present = session.as_ref().is_some_and(|session| session.is_at(presented(session, jti), jti));
        let is_exchanged = session.is_some() && !is_present && self.rules.blacklist_after_rotation;
        if is_exchanged || session.as_ref().is_some_and(|session| session.ended.is_some()) {
            return Err(Refusal::Blacklisted.into());
        }
        let user = self.find_user_of(&claims)?.map(|user| user.id);
        let row = self.token_row(&claims, user, now)?;
        let session = session.map(|session| session.id).filter(|_| is_present);
        match self.store.blacklist_token(row, session, now).await? {
            Blacklisting::Done => Ok(()),
            Blacklisting::Already => Err(Refusal::Blacklisted.into()),
        }
    }
}
