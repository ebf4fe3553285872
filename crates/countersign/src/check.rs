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
        let about_database = block_on(check_database(config))?;
        warnings.extend(about_database.into_iter().filter(|_| args.deploy));
    }
    let sentence = match warnings.as_slice() {
        [] => "No issues.".to_owned(),
        warnings => format!("No errors. Warnings:\n  {}", warnings.join("\n  ")),
    };
    report(as_json, &json!({ "warnings": warnings }), &sentence);
    Ok(())
}

/// What to say of the database where real users are.
async fn check_database(config: Config) -> Result<Vec<String>, Failure> {
    let store = Store::open(&config.database, &config.pool).await?;
    let complaints = store.integrity_complaints()?;
    if !complaints.is_empty() {
        return Err(Failure::Other(format!("the database is damaged: {}", complaints.join("; "))));
    }
    let unsafe_settings = store.unsafe_settings().await?;
    open_key_ring(config).await?.0.check().await?;
    Ok(unsafe_settings.iter().map(|name| lost_at_a_crash(name)).collect())
}

fn lost_at_a_crash(setting: &str) -> String {
    format!(
        "{setting} is off in PostgreSQL: what was answered with 2xx can be lost when it or its machine crashes, users and \
         ended sessions too. Set {setting} = on in postgresql.conf, and look for ALTER ROLE or ALTER DATABASE that turn it off"
    )
}
