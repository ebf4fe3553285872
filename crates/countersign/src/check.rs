//! `countersign check`: settings, keys and database, without serving.

mod deploy;
mod finding;
mod listening;
mod surroundings;
pub mod transport;

use countersign_auth::MailServer;
use countersign_store::{DatabaseUrl, OwnObjects, Prospect};
use serde_json::{Value, json};

use crate::adopt;
use crate::cli::CheckArgs;
use crate::config::{Config, Files, LET_WRITE, is_there, unwritable};
use crate::program::{Configured, Failure, block_on, configure_in_full, open_key_ring, report};
use crate::progress::meanwhile;
use crate::secret_key;

pub use deploy::{about_hosts, wrong_hosts};
pub use finding::{Finding, Level, parse_id};

/// Fails with the first setting that is wrong, with everything that is wrong with the database, or when something was found
/// that is grave enough.
pub fn run(args: &CheckArgs, as_json: bool) -> Result<(), Failure> {
    let Configured { config, sources, .. } = configure_in_full(Files::NotNeeded)?;
    config.check_files(&sources)?;
    config.mail.as_ref().map(MailServer::new).transpose().map_err(Failure::Other)?;
    let mut findings = config.warnings.clone();
    findings.extend(listening::findings(&config));
    if args.deploy {
        findings.extend(deploy::findings(&config, &sources)?);
        findings.extend(surroundings::findings(&config, &sources));
        findings.extend(transport::findings(&config)?);
    }
    findings.extend(unwritable(&config.database).map(no_place));
    if is_there(&config.database) {
        let about_database = meanwhile("Checking the database", || block_on(check_database(config)))?;
        findings
            .extend(about_database.into_iter().filter(|found| args.deploy || found.level != Level::Warning));
    }
    findings.retain(|finding| !args.silence.contains(&finding.id()));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let list: Vec<Value> = findings.iter().map(Finding::json).collect();
    report(as_json, &json!({ "findings": list }), &sentences(&findings))?;
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

/// What to say of the database. It is looked at as it is: keys are only where the tables of this version are.
async fn check_database(config: Config) -> Result<Vec<Finding>, Failure> {
    let prospect = Prospect::open_for(&config.database, &config.pool, &config.user_model).await?;
    let complaints = prospect.integrity_complaints()?;
    if !complaints.is_empty() {
        let (what, why) = (&config.database, complaints.join("; "));
        let fix = "restore it from a backup, or get what can be read out of it by `sqlite3 FILE .recover`";
        return Err(Failure::Other(format!("the database {what} is damaged: {why}; {fix}")));
    }
    let findings = prospect.look().await?;
    let unsafe_settings = prospect.unsafe_settings().await?;
    let mut found: Vec<_> = unsafe_settings.iter().map(|name| lost_at_a_crash(name)).collect();
    if let Some(why) = prospect.refuses_writes().await? {
        found.push(takes_no_writes(&why));
        return Ok(found); // what is looked at below begins with what a start would write
    }
    let OwnObjects { tables, indexes } = &findings.to_add;
    let missing: Vec<_> = tables.iter().chain(indexes).map(String::as_str).collect();
    if missing.is_empty() {
        found.extend(lost_key(&config));
        let passed_over = open_key_ring(config).await?.0.check().await?;
        found.extend(passed_over.iter().map(|error| unusable_next_key(&error.to_string())));
        return Ok(found);
    }
    if !findings.is_empty
        && let Some(refusal) = adopt::refusal(&config).await?
    {
        return Err(Failure::Other(refusal));
    }
    found.push(not_migrated(&missing));
    Ok(found)
}

/// Without `SECRET_KEY` the key is in a file beside the database, which a start would make anew.
fn lost_key(config: &Config) -> Option<Finding> {
    let DatabaseUrl::Sqlite(path) = &config.database else { return None };
    let file = secret_key::beside(path);
    let finding = || {
        Finding::warning(
            "E003",
            format!("{} is there, and its key {} is not", path.display(), file.display()),
            "a start makes a new key, and everybody has to log in again",
            "restore the file from a backup, or set SECRET_KEY to what it was",
        )
        .error()
    };
    config.secret_key.is_unsaved.then(finding)
}

fn no_place(why: String) -> Finding {
    Finding::warning("E008", why, "a start has to make the database there, and is refused", LET_WRITE).error()
}

fn unusable_next_key(error: &str) -> Finding {
    Finding::warning(
        "E004",
        format!("the next signing key cannot be used: {error}"),
        "it is not published, and cannot be rotated to",
        "add the former SECRET_KEY to SECRET_KEY_FALLBACKS, or make another: `countersign keys generate --force`",
    )
    .error()
}

fn takes_no_writes(why: &str) -> Finding {
    let (why, fix) = why.split_once("; ").unwrap_or((why, "let it be written to"));
    Finding::warning(
        "E005",
        format!("the database takes no writes: {why}"),
        "nobody can log in, and /readyz is 503",
        fix.to_owned(),
    )
    .error()
}

fn not_migrated(missing: &[&str]) -> Finding {
    Finding::warning(
        "W055",
        format!("the database lacks {}", missing.join(", ")),
        "nothing is served before they are there",
        "nothing, as a start makes them; or `countersign migrate` beforehand, `countersign adopt` for a Django's",
    )
    .info()
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
