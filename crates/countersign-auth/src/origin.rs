//! Where a request comes from and what it is called, for the events that it brings about; and what is found out of it on
//! the way, for whoever asks why it was refused.

use std::sync::{Mutex, PoisonError};

use countersign_domain::{Actor, Client, Event, EventKind, Presented, Session, SessionId, UserId};

use crate::sessions::presented;
use crate::{Auth, Error};

/// A request, as use-cases see it.
#[derive(Debug, Default)]
pub struct Origin<'a> {
    /// Who sent it.
    pub client: Client,
    /// What it is called.
    pub request_id: &'a str,
    evidence: Mutex<Evidence>,
}

/// What is known of a request that is refused. No secret, no token, no address.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Which rule refused it, where the error alone does not say.
    pub rule: Option<&'static str>,
    /// Which counter had run out.
    pub counter: Option<&'static str>,
    /// The key that its token names: a `kid`, or `configured` for a token without one.
    pub key: Option<String>,
    /// The user whom it is about.
    pub user: Option<UserId>,
    /// The session of its token.
    pub session: Option<SessionId>,
    /// The generation of its refresh token.
    pub presented_generation: Option<u32>,
    /// The one that the session is at.
    pub current_generation: Option<u32>,
}

impl<'a> Origin<'a> {
    /// A request of this client's, and what it is called.
    #[must_use]
    pub fn new(client: Client, request_id: &'a str) -> Self {
        Self { client, request_id, evidence: Mutex::default() }
    }

    /// Notes what was found out. To be called where a request is refused, and nowhere else: others need not pay for it.
    pub fn note(&self, note: impl FnOnce(&mut Evidence)) {
        note(&mut self.evidence.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes what a presented refresh token was to its session, if it has one.
    pub(crate) fn note_session(&self, session: Option<&Session>, jti: &str) {
        let Some(session) = session else { return };
        self.note(|evidence| {
            evidence.user = Some(session.user);
            evidence.session = Some(session.id.clone());
            evidence.current_generation = Some(session.generation);
            if let Presented::Generation(generation) = presented(session, jti) {
                evidence.presented_generation = Some(generation);
            }
        });
    }

    /// What was found out.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Evidence {
    /// As names and values.
    #[must_use]
    pub fn details(&self) -> Vec<(String, String)> {
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let known = [
            ("rule", self.rule.map(str::to_owned)),
            ("counter", self.counter.map(str::to_owned)),
            ("key", self.key.clone()),
            ("user", self.user.map(|user| user.to_string())),
            ("session", self.session.as_ref().map(ToString::to_string)),
            ("presented_generation", number(self.presented_generation)),
            ("current_generation", number(self.current_generation)),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl Auth {
    /// An event that a request brings about, now.
    pub(crate) fn event(&self, kind: EventKind, actor: Actor, origin: &Origin<'_>) -> Event {
        let (request_id, client) = (Some(origin.request_id.to_owned()), origin.client.clone());
        Event { request_id, client, ..Event::new(kind, actor, self.clock.now()) }
    }

    /// The outcome of a use-case with this token. If it is refused, the key that the token names is noted.
    pub(crate) fn with_key_noted<T>(
        &self,
        outcome: Result<T, Error>,
        token: &str,
        origin: &Origin<'_>,
    ) -> Result<T, Error> {
        if outcome.is_err() {
            let key = self.tokens().named_key(token);
            origin.note(|evidence| evidence.key = key);
        }
        outcome
    }
}
