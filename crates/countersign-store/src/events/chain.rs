//! The chain: what is hashed of an event, and how events are linked.

use std::fmt::Write;

use countersign_domain::{Actor, Event, EventKind};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::insert;
use super::reading::{StoredEvent, event_columns, read_event};
use crate::StoreError;
use crate::engine::{Row, Transaction};

/// Events that are linked in one transaction, so that nobody else waits long for the chain.
const LINKED_TOGETHER: i64 = 256;

/// Where the chain begins and where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// The last event that was deleted, or 0.
    pub deleted_position: i64,
    pub deleted_hash: String,
    /// The last one that was linked, or 0.
    pub last_position: i64,
    pub last_hash: String,
}

/// The columns that [`read_chain`] reads, in its order.
macro_rules! chain_columns {
    () => {
        "deleted_position, deleted_hash, last_position, last_hash"
    };
}
pub(super) use chain_columns;

/// Links what waits, the oldest first; returns how many. Rows that stand beyond the end, where only somebody else can have put
/// them, or have set the end back before them, wait like any other: nobody is to be kept from linking by one that has the next
/// place. An event says so, for the chain is whole again then. On SQLite, where each event is linked with its act, so are
/// rows that wait beside the one that was just written.
pub(super) async fn link(transaction: &mut Transaction<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let Chain { mut last_position, mut last_hash, .. } = lock_chain(transaction).await?;
    let sql = "UPDATE countersign_event SET position = NULL, hash = NULL WHERE position > $1";
    let mut beyond = transaction.execute(sql, &[last_position.into()]).await?;
    let sql = "SELECT count(*) FROM countersign_event WHERE position IS NULL";
    let waiting: i64 = transaction.first(sql, &[], |row| row.get(0)).await?.unwrap_or_default();
    if let Transaction::Sqlite(_) = transaction {
        beyond = usize::try_from(waiting - 1).unwrap_or_default();
    }
    if beyond > 0 {
        tracing::error!(
            events = beyond,
            "somebody has put events beyond the end of the audit log's chain; run `countersign audit verify`"
        );
        let event = Event::new(EventKind::EventsLinkedAnew, Actor::Server, now);
        let event = event.with("events", beyond.to_string()).with("after", last_position.to_string());
        insert(transaction, &event).await?;
    }
    let sql = concat!(
        "SELECT ",
        event_columns!(),
        " FROM countersign_event WHERE position IS NULL ORDER BY at, id LIMIT $1"
    );
    let waiting = transaction.all(sql, &[LINKED_TOGETHER.into()], read_event).await?;
    let sql = "UPDATE countersign_event SET position = $2, hash = $3 WHERE id = $1";
    for event in &waiting {
        last_position += 1;
        last_hash = hash_of(&last_hash, last_position, event);
        transaction.execute(sql, &[(&event.id).into(), last_position.into(), (&last_hash).into()]).await?;
    }
    if !waiting.is_empty() {
        let sql = "UPDATE countersign_event_chain SET last_position = $1, last_hash = $2 WHERE id = 1";
        transaction.execute(sql, &[last_position.into(), (&last_hash).into()]).await?;
    }
    Ok(waiting.len())
}

/// The ends of the chain, which nobody else changes until this transaction ends. (SQLite has one writer at a time.) On PostgreSQL
/// that ends by itself when its server says nothing more, as one that has died; else nobody could link any more, or delete a
/// user.
pub(super) async fn lock_chain(transaction: &mut Transaction<'_>) -> Result<Chain, StoreError> {
    let sql = match transaction {
        Transaction::Sqlite(_) => {
            concat!("SELECT ", chain_columns!(), " FROM countersign_event_chain WHERE id = 1")
        }
        Transaction::Postgres(_) => {
            concat!(
                "SELECT ",
                chain_columns!(),
                ", set_config('idle_in_transaction_session_timeout', '10s', 't')
                   FROM countersign_event_chain WHERE id = 1 FOR UPDATE"
            )
        }
    };
    transaction.first(sql, &[], read_chain).await?.ok_or_else(no_chain)
}

pub(super) fn read_chain(row: &Row<'_>) -> Result<Chain, StoreError> {
    Ok(Chain {
        deleted_position: row.get(0)?,
        deleted_hash: row.get(1)?,
        last_position: row.get(2)?,
        last_hash: row.get(3)?,
    })
}

pub(super) fn no_chain() -> StoreError {
    StoreError::Unreadable("countersign_event_chain has lost its row".to_owned())
}

/// The hash of an event at this place. Each part is preceded by its length, so that no two events have the same text.
pub(super) fn hash_of(previous: &str, position: i64, event: &StoredEvent) -> String {
    let (position, at) = (position.to_string(), event.at.as_microsecond().to_string());
    let parts = [
        Some(previous),
        Some(&position),
        Some(&event.id),
        Some(&at),
        Some(&event.kind),
        Some(&event.actor),
        event.user.as_deref(),
        event.request_id.as_deref(),
        Some(&event.details),
        event.commitment.as_deref(),
    ];
    let mut hashed = Sha256::new();
    for part in parts {
        match part {
            None => hashed.update("-,"),
            Some(part) => hashed.update(format!("{}:{part},", part.len())),
        }
    }
    hexadecimal(&hashed.finalize())
}

/// What an event keeps of its personal part when that is erased.
pub(super) fn commitment(personal: &str) -> String {
    hexadecimal(&Sha256::digest(personal))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a text takes everything
        text
    })
}
