//! Events as they are read: page by page, those that are linked first.

use countersign_domain::UserId;
use jiff::Timestamp;

use crate::engine::Row;
use crate::{Store, StoreError};

/// The columns that [`read_event`] reads, in its order.
macro_rules! event_columns {
    () => {
        "id, position, hash, at, kind, actor, subject, request_id, details, personal, commitment"
    };
}
pub(super) use event_columns;

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its random name.
    pub id: String,
    /// Its place in the chain; `None` until it is linked.
    pub position: Option<i64>,
    /// Its hash, over that of the one before too.
    pub hash: Option<String>,
    /// When it was.
    pub at: Timestamp,
    /// What it was, in the word of [`EventKind`](countersign_domain::EventKind).
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// The key of the user whom it is about, as text.
    pub user: Option<String>,
    /// What the request was called.
    pub request_id: Option<String>,
    /// What else is known: a JSON object of texts.
    pub details: String,
    /// What is known of the person, with a salt: a JSON object of texts; `None` if there was nothing or it was erased.
    pub personal: Option<String>,
    /// The hash of what is or was personal.
    pub commitment: Option<String>,
}

impl StoredEvent {
    /// Whether its personal part was erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.commitment.is_some() && self.personal.is_none()
    }

    /// Whether it is about this user.
    #[must_use]
    pub fn is_about(&self, user: UserId) -> bool {
        self.user.as_deref() == Some(user.to_string().as_str())
    }
}

impl Store {
    /// The next linked events after a position, at most `limit`.
    pub async fn events_after(&self, position: i64, limit: i64) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = concat!(
            "SELECT ",
            event_columns!(),
            " FROM countersign_event WHERE position > $1 ORDER BY position LIMIT $2"
        );
        self.engine.all(sql, &[position.into(), limit.into()], read_event).await
    }

    /// The oldest events that wait to be linked, at most `limit`.
    pub async fn waiting_events(&self, limit: i64) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = concat!(
            "SELECT ",
            event_columns!(),
            " FROM countersign_event WHERE position IS NULL ORDER BY at, id LIMIT $1"
        );
        self.engine.all(sql, &[limit.into()], read_event).await
    }
}

pub(super) fn read_event(row: &Row<'_>) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        id: row.get(0)?,
        position: row.get(1)?,
        hash: row.get(2)?,
        at: row.get_time(3)?,
        kind: row.get(4)?,
        actor: row.get(5)?,
        user: row.get(6)?,
        request_id: row.get(7)?,
        details: row.get(8)?,
        personal: row.get(9)?,
        commitment: row.get(10)?,
    })
}
