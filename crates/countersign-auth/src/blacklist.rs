//! Blacklisting: ending a refresh token before it expires, as clients of Simple JWT log out.

use countersign_domain::{Actor, EndReason, Event, EventKind, UserId};
use countersign_store::Blacklisting;
use countersign_token::{Kind, Refusal};

use crate::error::Submitted;
use crate::holder::SessionOf;
use crate::sessions::presented;
use crate::{Auth, Error, Origin, parse_token_field};

impl Auth {
    /// Ends a refresh token, and with the present one of a session the session. A second time is refused as any
    /// blacklisted token is. Access tokens stay good. Tells whose it was, where the token names a user.
    pub async fn blacklist(&self, refresh: Submitted, origin: &Origin<'_>) -> Result<Option<UserId>, Error> {
        self.slow_down(self.try_to_blacklist(refresh, origin).await, origin).await
    }

    async fn try_to_blacklist(
        &self,
        refresh: Submitted,
        origin: &Origin<'_>,
    ) -> Result<Option<UserId>, Error> {
        let token = parse_token_field("refresh", refresh)?;
        let blacklisted = self.blacklist_token(&token, origin).await;
        self.with_key_noted(blacklisted, &token, origin)
    }

    async fn blacklist_token(&self, token: &str, origin: &Origin<'_>) -> Result<Option<UserId>, Error> {
        let now = self.clock.now();
        let (tokens, claims) = self.decode(token, now).await?;
        let jti = self.jti(&claims)?;
        let holder = self.holder_of_refresh(&claims, jti).await?;
        if holder.is_blacklisted {
            return Err(Refusal::Blacklisted.into());
        }
        tokens.check(&claims, Kind::Refresh, now)?;
        if matches!(holder.session, SessionOf::Gone) && holder.user.is_some() {
            return Err(Refusal::Blacklisted.into());
        }
        let session = holder.session.found();
        let is_present = session.is_some_and(|session| session.is_at(presented(session, jti), jti));
        let is_exchanged = session.is_some() && !is_present && self.rules.blacklist_after_rotation;
        if is_exchanged || session.is_some_and(|session| session.ended.is_some()) {
            origin.note_session(session, jti);
            return Err(Refusal::Blacklisted.into());
        }
        let user = holder.user.as_ref().map(|user| user.id);
        let row = self.token_row(&claims, user, now)?;
        let session = session.filter(|_| is_present).map(|session| session.id.clone());
        let event = self.event(EventKind::SessionEnded, Actor::User, origin);
        let event = match &holder.user {
            Some(user) => event.about(user),
            None => Event { actor: Actor::Client, ..event },
        };
        let store = self.store.noting(event.with("because", EndReason::Blacklisted.name()));
        match store.blacklist_token(row, session, now).await? {
            Blacklisting::Done => {
                self.count_ended(EndReason::Blacklisted, usize::from(is_present));
                Ok(user)
            }
            Blacklisting::Already => Err(Refusal::Blacklisted.into()),
        }
    }
}
