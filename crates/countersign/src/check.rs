//! `countersign check`: settings, keys and database, without serving.

use countersign_store::Store;
use serde_json::json;

use crate::program::{Failure, configure, report};

/// Fails with the first setting that is wrong, or with everything that is wrong with the database.
pub fn run(as_json: bool) -> Result<(), Failure> {
    let config = configure()?;
    let complaints = Store::open(&config.database)?.integrity_complaints()?;
    if !complaints.is_empty() {
        return Err(Failure::Other(format!("the database is damaged: {}", complaints.join("; "))));
    }
    let sentence = match config.warnings.as_slice() {
        [] => "No issues.".to_owned(),
        warnings => format!("No errors. Warnings:\n  {}", warnings.join("\n  ")),
    };
    report(as_json, &json!({ "warnings": config.warnings }), &sentence);
    Ok(())
}
