//! `countersign check`: settings, keys and database, without serving.

use countersign_store::{DatabaseUrl, Store};
use serde_json::json;

use crate::cli::CheckArgs;
use crate::config::{Config, Files};
use crate::program::{Failure, block_on, configure, open_key_ring, report};

/// Fails with the first setting that is wrong, or with everything that is wrong with the database.
pub fn run(args: &CheckArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::NotNeeded)?;
    let mut warnings = config.warnings.clone();
    if args.deploy {
        warnings.extend(config.deployment_warnings.clone());
    }
    let is_there = match &config.database {
        DatabaseUrl::Sqlite(path) => path.exists(),
        DatabaseUrl::Postgres(_) => true,
    };
    if is_there {
        block_on(check_database(config))?;
    }
    let sentence = match warnings.as_slice() {
        [] => "No issues.".to_owned(),
        warnings => format!("No errors. Warnings:\n  {}", warnings.join("\n  ")),
    };
    report(as_json, &json!({ "warnings": warnings }), &sentence);
    Ok(())
}

async fn check_database(config: Config) -> Result<(), Failure> {
    let store = Store::open_for(&config.database, &config.pool, &config.user_model).await?;
    let complaints = store.integrity_complaints()?;
    drop(store);
    if !complaints.is_empty() {
        return Err(Failure::Other(format!("the database is damaged: {}", complaints.join("; "))));
    }
    Ok(open_key_ring(config).await?.0.check().await?)
}
