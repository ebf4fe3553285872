//! `countersign flushexpiredtokens`: deletes the sessions and the recorded tokens that are past use.

use countersign_auth::Flushed;
use indicatif::ProgressBar;
use serde_json::json;

use crate::config::Files;
use crate::program::{Failure, block_on, configure, open, report};

/// Deletes them, shows on a terminal how far it is, and says how many there were.
pub fn run(as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::Existing)?;
    let bar = ProgressBar::new(0); // draws on standard error, if that is a terminal
    let show = |flushed: Flushed| bar.set_position((flushed.tokens + flushed.sessions) as u64);
    let deleted = block_on(async {
        let auth = open(config).await?;
        bar.set_length(auth.count_expired().await?.unsigned_abs());
        Ok(auth.flush_expired_tokens(show).await?)
    });
    bar.finish_and_clear();
    let Flushed { sessions, tokens } = deleted?;
    report(
        as_json,
        &json!({ "sessions": sessions, "tokens": tokens }),
        &format!("{tokens} expired tokens and {sessions} sessions deleted."),
    )
}
