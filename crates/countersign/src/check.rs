//! `countersign check`: settings, keys and database, without serving.

use countersign_store::{DatabaseUrl, Store};
use serde_json::json;

use crate::cli::CheckArgs;
use crate::config::Files;
use crate::program::{Failure, configure, open_key_ring, report};

/// Fails with the first setting that is wrong, or with everything that is wrong with the database.
pub fn run(args: &CheckArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::NotNeeded)?;
    let DatabaseUrl::Sqlite(path) = &config.database;
    let exists = path.exists();
    let complaints = if exists { Store::open(&config.database)?.integrity_complaints()? } else { Vec::new() };
    if !complaints.is_empty() {
        return Err(Failure::Other(format!("the database is damaged: {}", complaints.join("; "))));
    }
    let mut warnings = config.warnings.clone();
    if args.deploy {
        warnings.extend(config.deployment_warnings.clone());
    }
    if exists {
        open_key_ring(config)?.0.check()?;
    }
    let sentence = match warnings.as_slice() {
        [] => "No issues.".to_owned(),
        warnings => format!("No errors. Warnings:\n  {}", warnings.join("\n  ")),
    };
    report(as_json, &json!({ "warnings": warnings }), &sentence);
    Ok(())
}
