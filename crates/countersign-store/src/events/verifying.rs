//! Verifying the chain: whether each event is the one that was linked, and none is missing.

use std::collections::HashMap;
use std::fmt;

use countersign_domain::EventKind;
use jiff::{SignedDuration, Timestamp};

use super::chain::{Chain, chain_columns, commitment, hash_of, no_chain, read_chain};
use super::reading::StoredEvent;
use crate::engine::Engine;
use crate::{Store, StoreError};

/// Events that are read together.
const PAGE: i64 = 1000;
/// The most breaks that are told.
const MOST_BREAKS: usize = 100;
/// How far the clocks of servers may be apart: what was erased can seem to have happened after its erasure.
const APART: SignedDuration = SignedDuration::from_secs(60);

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
    /// The personal part of the event at this position, by its id, is gone, and no event says that it was erased.
    PersonalMissing(i64, String),
    /// So many events stand outside the chain: before its beginning, after its end, or unlinked where each is linked at once.
    Outside(i64),
    /// The event at this position says that some stood beyond the end of the chain, and were linked anew.
    LinkedAnew(i64),
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
            Self::PersonalMissing(position, id) => write!(
                formatter,
                "the personal data of event {position} ({id}) are gone, and no event says that they were erased"
            ),
            Self::Outside(1) => formatter.write_str("an event stands outside the chain"),
            Self::Outside(count) => write!(formatter, "{count} events stand outside the chain"),
            Self::LinkedAnew(position) => write!(
                formatter,
                "event {position} says that events stood beyond the chain's end, as if that had been set back: compare what \
                 follows with an export"
            ),
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
            let mut verified = self.walk(&chain, noted.as_ref()).await?;
            let outside = self.count_outside().await?;
            if outside > 0 {
                verified.found(Break::Outside(outside));
            }
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

    /// How many events are not in the chain, at one moment; but for those that wait for it on PostgreSQL.
    async fn count_outside(&self) -> Result<i64, StoreError> {
        let beyond = "SELECT (SELECT count(*) FROM countersign_event
                               WHERE position > (SELECT last_position FROM countersign_event_chain WHERE id = 1))
                           + (SELECT count(*) FROM countersign_event
                               WHERE position <= (SELECT deleted_position FROM countersign_event_chain WHERE id = 1))";
        let beyond: Option<i64> = self.engine.first(beyond, &[], |row| row.get(0)).await?;
        let waiting = match &*self.engine {
            Engine::Sqlite(_) => self.waiting_events(PAGE).await?.len(),
            Engine::Postgres(_) => 0,
        };
        Ok(beyond.unwrap_or_default() + i64::try_from(waiting).unwrap_or(PAGE))
    }

    /// Whether an event says that a user's personal data of this time were erased. It may be one that waits to be linked.
    async fn says_that_it_erased(&self, user: &str, at: Timestamp) -> Result<bool, StoreError> {
        let sql =
            "SELECT 1 FROM countersign_event WHERE subject = $1 AND kind IN ($2, $3) AND at >= $4 LIMIT 1";
        let [erased, deleted] = ERASING.map(EventKind::name);
        let values = [user.into(), erased.into(), deleted.into(), at.as_microsecond().into()];
        Ok(self.engine.first(sql, &values, |_| Ok(())).await?.is_some())
    }

    async fn walk(&self, chain: &Chain, noted: Option<&(i64, String)>) -> Result<Verified, StoreError> {
        let mut walk = Walk::from(chain, noted);
        loop {
            let page = self.events_after(walk.position, PAGE).await?;
            let is_over = page.last().is_none_or(|last| last.position > Some(chain.last_position));
            for event in &page {
                let position = event.position.unwrap_or_default();
                if position <= chain.last_position {
                    walk.step(position, event); // others were linked since
                }
            }
            if is_over {
                break;
            }
        }
        for (user, erased) in walk.unexplained() {
            let is_explained = match user {
                Some(user) => self.says_that_it_erased(&user, erased.not_before()).await?,
                None => false,
            };
            if !is_explained {
                walk.verified.found(Break::PersonalMissing(erased.position, erased.id));
            }
        }
        Ok(walk.end(chain))
    }
}

/// What erases the personal part of a user's events.
const ERASING: [EventKind; 2] = [EventKind::PersonalDataErased, EventKind::UserDeleted];

/// The last event of a user whose personal part is gone.
#[derive(Clone)]
struct Erased {
    position: i64,
    id: String,
    at: Timestamp,
}

impl Erased {
    /// An event that says so is not earlier.
    fn not_before(&self) -> Timestamp {
        self.at.checked_sub(APART).unwrap_or(Timestamp::MIN)
    }
}

impl Verified {
    fn found(&mut self, found: Break) {
        if self.breaks.len() < MOST_BREAKS {
            self.breaks.push(found);
        }
    }
}

/// On the way: where it is, and what it has found.
struct Walk<'a> {
    position: i64,
    /// The hash of the event there; `None` after a gap, where nobody knows.
    hash: Option<String>,
    noted: Option<&'a (i64, String)>,
    /// By their users, if they have any.
    erased: HashMap<Option<String>, Erased>,
    /// When events say that a user's were erased, at last.
    erasures: HashMap<String, Timestamp>,
    verified: Verified,
}

impl<'a> Walk<'a> {
    fn from(chain: &Chain, noted: Option<&'a (i64, String)>) -> Self {
        let verified = Verified { deleted: chain.deleted_position, ..Verified::default() };
        let mut walk = Self {
            position: chain.deleted_position,
            hash: Some(chain.deleted_hash.clone()),
            noted,
            erased: HashMap::new(),
            erasures: HashMap::new(),
            verified,
        };
        walk.compare_with_noted();
        // The last that was deleted still proves that the rest goes on from it, if there is a rest.
        let proves_nothing = |position: i64| {
            position < chain.deleted_position
                || position == chain.deleted_position && (1..=position).contains(&chain.last_position)
        };
        if let Some((position, _)) = noted.filter(|(position, _)| proves_nothing(*position)) {
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
        // Whoever has noted an end since then has seen it.
        let is_noted = self.noted.is_some_and(|(noted, _)| *noted >= position);
        if event.kind == EventKind::EventsLinkedAnew.name() && !is_noted {
            self.found(Break::LinkedAnew(position));
        }
        self.verified.events += 1;
        self.note_erasing(position, event);
        (self.position, self.hash) = (position, event.hash.clone());
        self.compare_with_noted();
    }

    fn note_erasing(&mut self, position: i64, event: &StoredEvent) {
        if event.is_erased() {
            self.verified.erased += 1;
            let latest = self.erased.get(&event.user).is_none_or(|known| known.at <= event.at);
            if latest {
                let erased = Erased { position, id: event.id.clone(), at: event.at };
                self.erased.insert(event.user.clone(), erased);
            }
        }
        if let Some(user) =
            event.user.as_ref().filter(|_| ERASING.iter().any(|kind| kind.name() == event.kind))
        {
            let at = self.erasures.entry(user.clone()).or_insert(event.at);
            *at = event.at.max(*at);
        }
    }

    /// Of each user the last event whose personal part is gone, where none of the events on the way says that it was erased.
    fn unexplained(&mut self) -> Vec<(Option<String>, Erased)> {
        let is_explained = |user: &Option<String>, erased: &Erased| {
            let at = user.as_ref().and_then(|user| self.erasures.get(user));
            at.is_some_and(|at| *at >= erased.not_before())
        };
        let mut found: Vec<_> =
            self.erased.drain().filter(|(user, erased)| !is_explained(user, erased)).collect();
        found.sort_by_key(|(_, erased)| erased.position);
        found
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
        self.verified.found(found);
    }
}
