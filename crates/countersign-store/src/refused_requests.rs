//! `countersign_refusal`: why requests were refused lately, for whoever asks by their name. They are no events, and only the
//! last ones are kept.

use countersign_domain::RefusedRequest;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::engine::{Row, Transaction};
use crate::events::{new_id, object};
use crate::{Store, StoreError};

/// The most refusals that are told of one name, which clients can give as often as they like.
const MOST_TOLD: i64 = 20;

impl Store {
    /// Records refusals, and deletes the oldest beyond the last `keep`.
    pub async fn record_refusals(&self, refusals: Vec<RefusedRequest>, keep: i64) -> Result<(), StoreError> {
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    for refusal in &refusals {
                        insert(transaction, refusal).await?;
                    }
                    let sql = "DELETE FROM countersign_refusal WHERE at <=
                               (SELECT at FROM countersign_refusal ORDER BY at DESC LIMIT 1 OFFSET $1)";
                    transaction.execute(sql, &[keep.into()]).await.map(drop)
                })
            })
            .await
    }

    /// The refusals of the request with this name, the newest first; no more than the newest twenty.
    pub async fn refusals_of(&self, request_id: &str) -> Result<Vec<RefusedRequest>, StoreError> {
        let sql = "SELECT at, request_id, details FROM countersign_refusal WHERE request_id = $1
                    ORDER BY at DESC LIMIT $2";
        self.engine.all(sql, &[request_id.into(), MOST_TOLD.into()], read_refusal).await
    }
}

async fn insert(transaction: &mut Transaction<'_>, refusal: &RefusedRequest) -> Result<(), StoreError> {
    let sql = "INSERT INTO countersign_refusal (id, at, request_id, details) VALUES ($1, $2, $3, $4)";
    let details = object(refusal.details.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let (id, at) = (new_id(), refusal.at.as_microsecond());
    let values = [(&id).into(), at.into(), (&refusal.request_id).into(), (&details).into()];
    transaction.execute(sql, &values).await.map(drop)
}

fn read_refusal(row: &Row<'_>) -> Result<RefusedRequest, StoreError> {
    let at: Timestamp = row.get_time(0)?;
    let details: String = row.get(2)?;
    let unreadable = || StoreError::Unreadable(format!("{details:?} is not why a request was refused"));
    let Ok(Json::Object(members)) = serde_json::from_str(&details) else { return Err(unreadable()) };
    let member = |(name, value): (String, Json)| Some((name, value.as_str()?.to_owned()));
    let details = members.into_iter().filter_map(member).collect();
    Ok(RefusedRequest { at, request_id: row.get(1)?, details })
}
