//! Logging out: of this session, or of all.

use countersign_domain::{Actor, EndReason, EventKind};
use countersign_store::Ended;
use countersign_token::refresh_jti;

use crate::{Auth, Caller, Error, Origin};

impl Auth {
    /// Ends the session that the caller's token belongs to. Refused with [`Error::NoSession`] for a token made without
    /// one; its refresh token can be blacklisted.
    pub async fn log_out(&self, caller: &Caller, origin: &Origin<'_>) -> Result<(), Error> {
        let session = caller.session.as_ref().ok_or(Error::NoSession)?;
        match self.end_session(&caller.user, session.as_str(), EndReason::LoggedOut, origin).await {
            Err(Error::SessionNotFound) => Ok(()), // it was the caller's own when the call began, and ended meanwhile
            ended => ended,
        }
    }

    /// Ends every session of the caller, and every refresh token that Django recorded; with `except_current`, but for the
    /// session of the caller's own token.
    pub async fn log_out_all(
        &self,
        caller: &Caller,
        except_current: bool,
        origin: &Origin<'_>,
    ) -> Result<Ended, Error> {
        let current = caller.session.clone().filter(|_| except_current);
        if except_current && current.is_none() {
            return Err(Error::NoSession);
        }
        let except = current.map(|id| (id, refresh_jti as countersign_store::RefreshId));
        let ending = self.ending(EndReason::LoggedOut);
        let event = self.event(EventKind::SessionEnded, Actor::User, origin).about(&caller.user);
        let store = self.store.noting(event.with("because", ending.because.name()));
        let ended = store.end_sessions(caller.user.id, ending, except).await?;
        self.count_ended(EndReason::LoggedOut, ended.sessions);
        tracing::info!(user.id = %caller.user.id, ended.sessions, ended.tokens, "logged out everywhere");
        Ok(ended)
    }
}
