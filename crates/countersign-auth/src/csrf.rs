//! What a page has to show beside its cookies, so that no other page can use them: the CSRF token of its session.

use countersign_domain::SessionId;

use crate::proofs::Proofs;
use crate::{Auth, ConfiguredKeys, Error, Origin};

/// CSRF tokens: proofs of the id of a session.
pub(crate) fn proofs(keys: &ConfiguredKeys) -> Proofs {
    Proofs::of(keys, b"countersign csrf tokens v1")
}

impl Auth {
    /// The session that a token of ours names, which need not be a good one otherwise.
    pub async fn session_of(&self, token: &str, origin: &Origin<'_>) -> Result<Option<SessionId>, Error> {
        let decoded = self.decode(token, self.clock.now()).await;
        let (_, claims) = self.slow_down(decoded, origin).await?;
        Ok(self.session_id_of(&claims))
    }

    /// The CSRF token of a session, the same as long as `SECRET_KEY` is.
    #[must_use]
    pub fn csrf_token(&self, session: &SessionId) -> String {
        self.csrf.make(&[session.as_str().as_bytes()])
    }

    /// Whether this is the CSRF token of the session, by `SECRET_KEY` or a former one.
    #[must_use]
    pub fn is_csrf_token(&self, session: &SessionId, text: &str) -> bool {
        self.csrf.is_of(&[session.as_str().as_bytes()], text)
    }
}
