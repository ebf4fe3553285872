//! Blacklisting: ending a refresh token before it expires.

use countersign_store::Blacklisting;
use countersign_token::{Kind, Refusal};

use crate::error::Submitted;
use crate::{Auth, Error, parse_token_field};

impl Auth {
    /// Ends a refresh token. A second time is refused as any blacklisted token is. Access tokens stay good.
    pub async fn blacklist(&self, refresh: Submitted) -> Result<(), Error> {
        let token = parse_token_field("refresh", refresh)?;
        let now = self.clock.now();
        let claims = self.validate(&token, Kind::Refresh, now)?;
        let user = self.find_user_of(&claims)?.map(|user| user.id);
        // A token that is recorded only now is recorded as Simple JWT does: in its own writing.
        let row = self.token_row(&claims, || self.tokens().rewritten(&claims, &token), user, now)?;
        match self.store.blacklist_token(row, now).await? {
            Blacklisting::Done => Ok(()),
            Blacklisting::Already => Err(Refusal::Blacklisted.into()),
        }
    }
}
