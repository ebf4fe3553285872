//! `countersign check`: settings, keys and database, without serving.

mod deploy;
mod finding;
mod surroundings;
pub mod transport;

use countersign_store::{DatabaseUrl, Store};
use serde_json::{Value, json};

use crate::cli::CheckArgs;
use crate::config::{Config, Files};
use crate::program::{Configured, Failure, block_on, configure_in_full, open_key_ring, report};

pub use finding::{Finding, Level};

/// Fails with the first setting that is wrong, with everything that is wrong with the database, or when something was found
/// that is grave enough.
pub fn run(args: &CheckArgs, as_json: bool) -> Result<(), Failure> {
    let Configured { config, sources, .. } = configure_in_full(Files::NotNeeded)?;
    let mut findings = config.warnings.clone();
    if args.deploy {
        findings.extend(deploy::findings(&config, &sources)?);
        findings.extend(surroundings::findings(&config, &sources));
        findings.extend(transport::findings(&config)?);
    } else if let Some(files) = &config.tls {
        files.load()?;
    }
    let is_there = match &config.database {
        DatabaseUrl::Sqlite(path) => path.exists(),
        DatabaseUrl::Postgres(_) => true,
    };
    if is_there {
        let about_database = block_on(check_database(config))?;
        findings.extend(about_database.into_iter().filter(|_| args.deploy));
    }
    findings.retain(|finding| !args.silence.contains(&finding.id()));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let list: Vec<Value> = findings.iter().map(Finding::json).collect();
    report(as_json, &json!({ "findings": list }), &sentences(&findings));
    let is_grave = findings.iter().any(|finding| finding.level >= args.fail_level);
    if is_grave { Err(Failure::Found) } else { Ok(()) }
}

fn sentences(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "No issues.".to_owned();
    }
    let lines: Vec<String> =
        findings.iter().map(|finding| format!("{:<8}  {finding}", finding.level.to_string())).collect();
    lines.join("\n")
}

/// What to say of the database where real users are.
async fn check_database(config: Config) -> Result<Vec<Finding>, Failure> {
    let store = Store::open_for(&config.database, &config.pool, &config.user_model).await?;
    let complaints = store.integrity_complaints()?;
    if !complaints.is_empty() {
        return Err(Failure::Other(format!("the database is damaged: {}", complaints.join("; "))));
    }
    let unsafe_settings = store.unsafe_settings().await?;
    open_key_ring(config).await?.0.check().await?;
    Ok(unsafe_settings.iter().map(|name| lost_at_a_crash(name)).collect())
}

fn lost_at_a_crash(setting: &str) -> Finding {
    Finding::warning(
        "W054",
        format!("{setting} is off in PostgreSQL"),
        "what was answered with 2xx can be lost when it or its machine crashes, users and ended sessions too",
        format!(
            "set {setting} = on in postgresql.conf, and look for ALTER ROLE or ALTER DATABASE that turn it off"
        ),
    )
}
