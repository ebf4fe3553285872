//! `countersign adopt`: our tables in a database that a Django project made; looked at first, added, taken out again.

mod report;
mod survey;

use countersign_store::{DatabaseUrl, OwnObjects, Prospect, Removed, Store, StoreError, give_back};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use self::report::Report;
use self::survey::{survey_tokens, survey_users};
use crate::cli::AdoptArgs;
use crate::config::{Config, Files};
use crate::program::{Failure, block_on, configure, report};
use crate::progress::meanwhile;

/// Looks, adds or takes out.
pub fn run(args: &AdoptArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::NotNeeded)?;
    if let DatabaseUrl::Sqlite(path) = &config.database
        && !path.exists()
    {
        let fix = "set DATABASE_URL to the file that the project's settings name";
        return Err(Failure::Other(format!("there is no database {}; {fix}", path.display())));
    }
    if args.undo { undo(&config, args.force, as_json) } else { adopt(&config, args.dry_run, as_json) }
}

fn adopt(config: &Config, is_dry_run: bool, as_json: bool) -> Result<(), Failure> {
    let bar = ProgressBar::new(0); // draws on standard error, if that is a terminal
    let looked = block_on(look(config, &bar));
    bar.finish_and_clear();
    let looked = looked?;
    if is_dry_run {
        report(as_json, &looked.json(), &looked.text())?;
        return looked.refusal().map_or(Ok(()), |refusal| Err(Failure::Other(refusal)));
    }
    if let Some(refusal) = looked.refusal() {
        return Err(Failure::Other(format!(
            "{refusal}. `countersign adopt --dry-run` shows the whole report"
        )));
    }
    meanwhile("Adding tables and indexes", || {
        block_on(async { Ok(Store::open_for(&config.database, &config.pool, &config.user_model).await?) })
    })?;
    let added = &looked.findings.to_add;
    let database = config.database.to_string();
    let sentence = if added.tables.is_empty() && added.indexes.is_empty() {
        format!("{database} has all that is needed: nothing was added.")
    } else {
        format!("Added to {database}:\n{}", listed(added))
    };
    report(as_json, &json!({ "database": database, "added": objects_json(added) }), &sentence)
}

async fn look(config: &Config, bar: &ProgressBar) -> Result<Report, Failure> {
    let prospect = Prospect::open_for(&config.database, &config.pool, &config.user_model).await?;
    let findings = prospect.look().await?;
    bar.set_length((findings.last_user + findings.last_token).unsigned_abs());
    let is_sound = |table: &str| !findings.obstacles().any(|difference| difference.table() == table);
    let users = if findings.other_users.is_none() && is_sound(&findings.user_table) {
        Some(survey_users(&prospect, &config.hashers, |id| bar.set_position(id)).await?)
    } else {
        None
    };
    let scanned = findings.last_user.unsigned_abs();
    let tokens =
        if is_sound("token_blacklist_outstandingtoken") && is_sound("token_blacklist_blacklistedtoken") {
            Some(survey_tokens(&prospect, |id| bar.set_position(scanned + id)).await?)
        } else {
            None
        };
    Ok(Report { database: config.database.to_string(), findings, users, tokens })
}

/// Why a database cannot be served, in the words of [`run`]; `None` if it can.
pub async fn refusal(config: &Config) -> Result<Option<String>, Failure> {
    let prospect = Prospect::open_for(&config.database, &config.pool, &config.user_model).await?;
    let findings = prospect.look().await?;
    Ok(Report { database: config.database.to_string(), findings, users: None, tokens: None }.refusal())
}

fn undo(config: &Config, forced: bool, as_json: bool) -> Result<(), Failure> {
    let database = config.database.to_string();
    let removed = meanwhile("Taking tables and indexes out", || {
        block_on(async { Ok(give_back(&config.database, &config.pool, forced).await?) })
    });
    let Removed { objects, sessions, keys } = removed.map_err(|failure| match failure {
        Failure::Store(StoreError::InUse) => Failure::Other(in_use(config)),
        Failure::Store(StoreError::Migration(why)) => {
            Failure::Other(format!("there is nothing to take out of {database}: {why}"))
        }
        other => other,
    })?;
    let mut sentence = format!("Taken out of {database}, with {sessions} sessions:\n{}", listed(&objects));
    if keys > 0 {
        sentence
            .push_str("\nThe signing keys are gone, and what they signed is verified by nobody any more.");
    }
    let json = json!({
        "database": database,
        "removed": objects_json(&objects),
        "sessions": sessions,
        "signing_keys": keys,
    });
    report(as_json, &json, &sentence)
}

fn in_use(config: &Config) -> String {
    let who = match config.database {
        DatabaseUrl::Sqlite(_) => {
            "another program has it open, a server of ours or the project itself: stop it"
        }
        DatabaseUrl::Postgres(_) => "a server of ours, or a command, is connected to it: stop it",
    };
    format!("nothing was taken out of {}: {who} first, or go on all the same with --force", config.database)
}

fn objects_json(objects: &OwnObjects) -> Value {
    json!({ "tables": objects.tables, "indexes": objects.indexes })
}

fn listed(objects: &OwnObjects) -> String {
    let lines = [("tables", &objects.tables), ("indexes", &objects.indexes)];
    let lines = lines.iter().filter(|(_, names)| !names.is_empty());
    lines.map(|(kind, names)| format!("  {kind:<8} {}", names.join(", "))).collect::<Vec<_>>().join("\n")
}
