//! Verifying the chain: whether each event is the one that was linked, and none is missing.

use std::fmt;

use super::chain::{Chain, chain_columns, commitment, hash_of, no_chain, read_chain};
use super::reading::StoredEvent;
use crate::{Store, StoreError};

/// Events that are read together.
const PAGE: i64 = 1000;
/// The most breaks that are told.
const MOST_BREAKS: usize = 100;

/// What a walk along the chain came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many events were looked at.
    pub events: u64,
    /// Of how many the personal part was erased.
    pub erased: u64,
    /// The last event that was deleted for its age, or 0.
    pub deleted: i64,
    /// Place and hash of the last event: whoever notes them elsewhere can tell later that nothing before was changed.
    pub last: (i64, String),
    /// Where it breaks; the first hundred.
    pub breaks: Vec<Break>,
}

/// A place where the chain breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// The events from one position to another are missing.
    Missing(i64, i64),
    /// The event at this position, by its id, is not the one that was linked, or was linked to another one.
    Changed(i64, String),
    /// The personal part of the event at this position, by its id, is not the one that was linked.
    PersonalChanged(i64, String),
    /// The chain does not end with the event that it is known to end with.
    End,
    /// What was noted of the event at this position is not what there is.
    NotAsNoted(i64),
    /// The event that was noted is among those that were deleted, so that it proves nothing.
    NotedIsDeleted(i64),
}

impl fmt::Display for Break {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(first, last) if first == last => write!(formatter, "event {first} is missing"),
            Self::Missing(first, last) => write!(formatter, "events {first} to {last} are missing"),
            Self::Changed(position, id) => write!(formatter, "event {position} ({id}) was changed"),
            Self::PersonalChanged(position, id) => {
                write!(formatter, "the personal data of event {position} ({id}) were changed")
            }
            Self::End => formatter.write_str("the chain does not end where it should"),
            Self::NotAsNoted(position) => write!(formatter, "event {position} is not the one that was noted"),
            Self::NotedIsDeleted(position) => {
                write!(formatter, "event {position} was noted and is deleted: note a later one, in time")
            }
        }
    }
}

impl Store {
    /// Walks along the chain. `noted` is place and hash of an event as they were noted elsewhere.
    pub async fn verify_events(&self, noted: Option<(i64, String)>) -> Result<Verified, StoreError> {
        let mut chain = self.chain().await?;
        loop {
            let verified = self.walk(&chain, noted.as_ref()).await?;
            let now = self.chain().await?;
            // The oldest may have been deleted meanwhile.
            if verified.breaks.is_empty() || now.deleted_position == chain.deleted_position {
                return Ok(verified);
            }
            chain = now;
        }
    }

    async fn chain(&self) -> Result<Chain, StoreError> {
        let sql = concat!("SELECT ", chain_columns!(), " FROM countersign_event_chain WHERE id = 1");
        self.engine.first(sql, &[], read_chain).await?.ok_or_else(no_chain)
    }

    async fn walk(&self, chain: &Chain, noted: Option<&(i64, String)>) -> Result<Verified, StoreError> {
        let mut walk = Walk::from(chain, noted);
        loop {
            let page = self.events_after(walk.position, PAGE).await?;
            if page.is_empty() {
                return Ok(walk.end(chain));
            }
            for event in &page {
                let position = event.position.unwrap_or_default();
                if position > chain.last_position {
                    return Ok(walk.end(chain)); // linked since
                }
                walk.step(position, event);
            }
        }
    }
}

/// On the way: where it is, and what it has found.
struct Walk<'a> {
    position: i64,
    /// The hash of the event there; `None` after a gap, where nobody knows.
    hash: Option<String>,
    noted: Option<&'a (i64, String)>,
    verified: Verified,
}

impl<'a> Walk<'a> {
    fn from(chain: &Chain, noted: Option<&'a (i64, String)>) -> Self {
        let verified = Verified { deleted: chain.deleted_position, ..Verified::default() };
        let mut walk = Self {
            position: chain.deleted_position,
            hash: Some(chain.deleted_hash.clone()),
            noted,
            verified,
        };
        walk.compare_with_noted();
        if let Some((position, _)) = noted.filter(|(position, _)| *position < chain.deleted_position) {
            walk.found(Break::NotedIsDeleted(*position));
        }
        walk
    }

    fn step(&mut self, position: i64, event: &StoredEvent) {
        if position != self.position + 1 {
            self.found(Break::Missing(self.position + 1, position - 1));
            self.hash = None;
        }
        let is_as_linked =
            |previous: &String| event.hash.as_ref() == Some(&hash_of(previous, position, event));
        if self.hash.as_ref().is_some_and(|previous| !is_as_linked(previous)) {
            self.found(Break::Changed(position, event.id.clone()));
        }
        if event.personal.as_deref().is_some_and(|personal| event.commitment != Some(commitment(personal))) {
            self.found(Break::PersonalChanged(position, event.id.clone()));
        }
        self.verified.events += 1;
        self.verified.erased += u64::from(event.is_erased());
        (self.position, self.hash) = (position, event.hash.clone());
        self.compare_with_noted();
    }

    fn compare_with_noted(&mut self) {
        if let Some((position, hash)) = self.noted
            && *position == self.position
            && self.hash.as_ref() != Some(hash)
        {
            self.found(Break::NotAsNoted(*position));
        }
    }

    fn end(mut self, chain: &Chain) -> Verified {
        if self.position < chain.last_position {
            self.found(Break::Missing(self.position + 1, chain.last_position));
        } else if self.hash.as_ref() != Some(&chain.last_hash) {
            self.found(Break::End);
        }
        if let Some((position, _)) = self.noted.filter(|(position, _)| *position > self.position) {
            self.found(Break::NotAsNoted(*position));
        }
        self.verified.last = (self.position, self.hash.unwrap_or_default());
        self.verified
    }

    fn found(&mut self, found: Break) {
        if self.verified.breaks.len() < MOST_BREAKS {
            self.verified.breaks.push(found);
        }
    }
}
