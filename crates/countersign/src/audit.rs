//! `countersign audit …`: the audit log, verified, exported, and without what is personal in it.

use std::io::IsTerminal;

use countersign_auth::Clock;
use countersign_domain::{Actor, Event, EventKind, UserId};
use countersign_store::{Break, Store, StoredEvent, Verified};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::cli::{AuditCommand, ExportEventsArgs};
use crate::config::{Config, Files};
use crate::program::{Failure, block_on, configure, open_store, print_part, report};
use crate::progress::{counts_rows, meanwhile};

/// Events that are read together.
const PAGE: i64 = 1000;

/// Runs one of the commands.
pub fn run(command: AuditCommand, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::Existing)?;
    match command {
        AuditCommand::Verify { noted } => verify(&config, noted, as_json),
        AuditCommand::Export(args) => block_on(export(&config, &args)),
        AuditCommand::Erase { user } => erase(&config, user, as_json),
    }
}

/// Says where the chain breaks, and fails then.
fn verify(config: &Config, noted: Option<(i64, String)>, as_json: bool) -> Result<(), Failure> {
    let walk = async {
        let store = open_store(config).await?;
        Ok((store.verify_events(noted).await?, store.waiting_events(PAGE).await?.len()))
    };
    let (verified, waiting) = meanwhile("Walking along the audit log", || block_on(walk))?;
    let breaks: Vec<String> = verified.breaks.iter().map(Break::to_string).collect();
    let (position, hash) = &verified.last;
    let json = json!({
        "events": verified.events,
        "erased": verified.erased,
        "waiting": waiting,
        "deleted": verified.deleted,
        "last": format!("{position}:{hash}"),
        "breaks": breaks,
    });
    report(as_json, &json, &verdict(&verified, waiting, &breaks))?;
    if breaks.is_empty() { Ok(()) } else { Err(Failure::Found) }
}

fn verdict(verified: &Verified, waiting: usize, breaks: &[String]) -> String {
    let Verified { events, erased, deleted, last: (position, hash), .. } = verified;
    let mut lines = vec![format!("{events} events; of {erased} the personal data were erased.")];
    if *deleted > 0 {
        lines.push(format!("Those up to {deleted} were deleted, as they were too old or too many."));
    }
    if waiting > 0 {
        let more =
            if waiting < PAGE.unsigned_abs().try_into().unwrap_or(usize::MAX) { "" } else { " or more" };
        lines.push(format!("{waiting}{more} wait to be linked, which a server does once a second."));
    }
    lines.extend(breaks.iter().map(|found| format!("BROKEN: {found}")));
    if breaks.is_empty() {
        lines.push(format!("The chain is whole. Note its end elsewhere: {position}:{hash}"));
    } else {
        lines.push(
            "Something else than Countersign has changed the log, unless what was noted is mistyped. Keep a copy of the database as it \
             is now, and compare it with a backup or an export from before."
                .to_owned(),
        );
    }
    lines.join("\n")
}

/// Prints a JSON object for each event, the oldest first. A reader that has gone away is no reason to complain.
async fn export(config: &Config, args: &ExportEventsArgs) -> Result<(), Failure> {
    let store = open_store(config).await?;
    // What is printed shows by itself that it goes on; a bar would stand between the lines.
    let bar = if std::io::stdout().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new(0) };
    counts_rows(&bar);
    bar.set_length(store.last_event_position().await?.unsigned_abs());
    let printed = print_all(&store, args, &bar).await;
    bar.finish_and_clear();
    printed
}

async fn print_all(store: &Store, args: &ExportEventsArgs, bar: &ProgressBar) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = store.events_after(after, PAGE).await?;
        let Some(last) = page.last().and_then(|event| event.position) else { break };
        if !print(&page, args)? {
            return Ok(());
        }
        after = last;
        bar.set_position(last.unsigned_abs());
    }
    print(&store.waiting_events(PAGE).await?, args).map(|_| ())
}

/// Whether somebody reads on.
fn print(page: &[StoredEvent], args: &ExportEventsArgs) -> Result<bool, Failure> {
    let lines: Vec<String> = page
        .iter()
        .filter(|event| is_wanted(event, args))
        .map(|event| format!("{}\n", line(event)))
        .collect();
    print_part(lines.concat().as_bytes())
}

fn is_wanted(event: &StoredEvent, args: &ExportEventsArgs) -> bool {
    args.user.is_none_or(|user| event.is_about(user))
        && args.since.is_none_or(|since| event.at >= since)
        && args.until.is_none_or(|until| event.at < until)
        && (args.kind.is_empty() || args.kind.contains(&event.kind))
        && args.request.as_ref().is_none_or(|request| event.request_id.as_ref() == Some(request))
}

fn line(event: &StoredEvent) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
    json!({
        "position": event.position,
        "id": event.id,
        "at": event.at.to_string(),
        "kind": event.kind,
        "actor": event.actor,
        "user": event.user,
        "request_id": event.request_id,
        "details": parsed(&event.details),
        "personal": event.personal.as_deref().map(parsed),
        "commitment": event.commitment,
        "hash": event.hash,
    })
}

fn erase(config: &Config, user: UserId, as_json: bool) -> Result<(), Failure> {
    let event = Event::new(EventKind::PersonalDataErased, Actor::Operator, Clock::System.now());
    let event = Event { user: Some(user), ..event };
    let work = async { Ok(open_store(config).await?.noting(event).erase_personal_data(user).await?) };
    let erased = meanwhile("Erasing in the audit log", || block_on(work))?;
    let sentence = format!("The personal data in {erased} events about the user {user} are erased.");
    report(as_json, &json!({ "events": erased }), &sentence)
}
