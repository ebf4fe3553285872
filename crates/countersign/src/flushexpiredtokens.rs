//! `countersign flushexpiredtokens`: deletes recorded tokens that have expired.

use serde_json::json;

use crate::config::Files;
use crate::program::{Failure, block_on, configure, open, report};

/// Deletes them and says how many there were.
pub fn run(as_json: bool) -> Result<(), Failure> {
    let auth = open(configure(Files::Existing)?)?;
    let deleted = block_on(async { Ok(auth.flush_expired_tokens().await?) })?;
    report(as_json, &json!({ "deleted": deleted }), &format!("{deleted} expired tokens deleted."));
    Ok(())
}
