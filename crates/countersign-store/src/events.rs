//! `countersign_event`: what was done, each event written in the transaction of the act, and linked to the one before by
//! its hash.
//!
//! On SQLite, which has one writer at a time, an event is linked as it is written. On PostgreSQL that would make every
//! login wait for the commit of the one before; there events are linked a moment later, in batches, by one server at a
//! time ([`Store::link_events`]). `docs/decisions/0017-audit.md` has the reasons.

mod chain;
mod counting;
mod erasing;
mod reading;
mod retention;
mod verifying;

use std::sync::Arc;

use countersign_domain::{Event, SessionId, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::engine::{Engine, Transaction, Value};
use crate::users::{Presence, presence};
use crate::{Store, StoreError};

use self::chain::{commitment, link};

pub(crate) use self::erasing::erase;
pub use self::reading::StoredEvent;
pub use self::verifying::{Break, Verified};

/// The most sessions that an event names.
const MOST_NAMED: usize = 100;

/// An event as its row has it when it is written.
#[derive(Default)]
pub(crate) struct NewRow {
    id: Option<String>,
    at: i64,
    kind: &'static str,
    actor: &'static str,
    subject: Option<String>,
    request_id: Option<String>,
    details: String,
    personal: Option<String>,
    commitment: Option<String>,
}

impl NewRow {
    pub(crate) fn of(event: &Event) -> Self {
        let personal = personal_of(event);
        Self {
            id: Some(new_id()),
            at: event.at.as_microsecond(),
            kind: event.kind.name(),
            actor: event.actor.name(),
            subject: event.user.map(|user| user.to_string()),
            request_id: event.request_id.clone(),
            details: object(event.details.iter().map(|(name, value)| (*name, value.as_str()))),
            commitment: personal.as_deref().map(commitment),
            personal,
        }
    }

    /// Its values; without an event, such that the id is NULL.
    pub(crate) fn values(&self) -> [Value<'_>; 9] {
        [
            self.id.as_deref().into(),
            self.at.into(),
            self.kind.into(),
            self.actor.into(),
            self.subject.as_deref().into(),
            self.request_id.as_deref().into(),
            (&self.details).into(),
            self.personal.as_deref().into(),
            self.commitment.as_deref().into(),
        ]
    }
}

impl Store {
    /// The same database for one act: what is written through this, if it is, leaves the event behind in the same
    /// transaction. What the act does not know beforehand, such as the id of a new user or which sessions have ended, is
    /// added to it.
    #[must_use]
    pub fn noting(&self, event: Event) -> Self {
        Self { event: Some(Arc::new(event)), ..self.clone() }
    }

    /// The event that the act is to leave behind.
    pub(crate) fn event(&self) -> Option<Event> {
        self.event.as_deref().cloned()
    }

    /// Records events of what changes nothing else. They may come a moment after what they tell of: of a user who was deleted
    /// meanwhile nothing personal is kept. Those are returned, and not recorded, of whose user somebody else is about to
    /// decide that (on PostgreSQL): they can be recorded later, or at once without what is personal.
    pub async fn record_events(&self, events: Vec<Event>) -> Result<Vec<Event>, StoreError> {
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let mut held = Vec::new();
                    for event in events {
                        let presence = match event.user {
                            Some(user) if event.is_personal() => presence(transaction, user).await?,
                            _ => Presence::Stays,
                        };
                        match presence {
                            Presence::Stays => append(transaction, Some(event)).await?,
                            Presence::Gone => append(transaction, Some(event.impersonal())).await?,
                            Presence::Held => held.push(event),
                        }
                    }
                    Ok(held)
                })
            })
            .await
    }

    /// Links the events that wait for it; returns their number. On SQLite none waits.
    pub async fn link_events(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut linked = 0;
        let any = "SELECT 1 FROM countersign_event WHERE position IS NULL LIMIT 1";
        while let Engine::Postgres(_) = &*self.engine
            && self.engine.first(any, &[], |_| Ok(())).await?.is_some()
        {
            linked += self.engine.write(move |transaction| Box::pin(link(transaction, now))).await?;
        }
        Ok(linked)
    }
}

/// Writes an event, if there is one, with the act that this transaction is.
pub(crate) async fn append(
    transaction: &mut Transaction<'_>,
    event: Option<Event>,
) -> Result<(), StoreError> {
    let Some(event) = event else { return Ok(()) };
    insert(transaction, &event).await?;
    if let Transaction::Sqlite(_) = transaction {
        link(transaction, event.at).await?;
    }
    Ok(())
}

async fn insert(transaction: &mut Transaction<'_>, event: &Event) -> Result<(), StoreError> {
    let sql = "INSERT INTO countersign_event (id, at, kind, actor, subject, request_id, details, personal, commitment)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    transaction.execute(sql, &NewRow::of(event).values()).await.map(drop)
}

/// The event about a user who has just become known.
pub(crate) fn about(event: Option<Event>, user: UserId) -> Option<Event> {
    event.map(|event| Event { user: Some(user), ..event })
}

/// The event with the sessions that have ended: their number, and the ids of the first.
pub(crate) fn with_ended(event: Option<Event>, sessions: &[String]) -> Option<Event> {
    let named = sessions.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(" ");
    let event = event?.with("ended", sessions.len().to_string());
    Some(if named.is_empty() { event } else { event.with("sessions", named) })
}

/// The event of the end of one session.
pub(crate) fn of_session(event: Option<Event>, session: &SessionId) -> Option<Event> {
    event.map(|event| event.with("session", session.as_str()))
}

/// A random name.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A JSON object of texts.
pub(crate) fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let members = members.map(|(name, value)| (name.to_owned(), Json::from(value)));
    Json::Object(members.collect::<Map<_, _>>()).to_string()
}

/// What is known of the person, with a salt: without that, an address that was erased could be found again by trying.
fn personal_of(event: &Event) -> Option<String> {
    let known = [
        ("name", event.name.as_deref()),
        ("address", event.client.address.as_deref()),
        ("client", Some(event.client.name.as_str()).filter(|name| !name.is_empty())),
    ];
    let mut known = known.into_iter().filter_map(|(name, value)| Some((name, value?))).peekable();
    known.peek()?;
    let salt = new_id();
    Some(object(std::iter::once(("salt", salt.as_str())).chain(known)))
}
