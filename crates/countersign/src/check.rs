//! `countersign check`: settings, keys and database, without serving.

mod deploy;
mod finding;
mod surroundings;

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
    }
    let is_there = match &config.database {
        DatabaseUrl::Sqlite(path) => path.exists(),
        DatabaseUrl::Postgres(_) => true,
    };
    if is_there {
        block_on(check_database(config))?;
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

async fn check_database(config: Config) -> Result<(), Failure> {
    let complaints = Store::open(&config.database, &config.pool).await?.integrity_complaints()?;
    if !complaints.is_empty() {
        return Err(Failure::Other(format!("the database is damaged: {}", complaints.join("; "))));
    }
    Ok(open_key_ring(config).await?.0.check().await?)
}
