//! `countersign audit …`: the audit log, verified, exported, and without what is personal in it.

use countersign_auth::Clock;
use countersign_domain::{Actor, Event, EventKind, UserId};
use countersign_store::{Break, Store, StoredEvent, Verified};
use serde_json::{Value, json};

use crate::cli::{AuditCommand, ExportEventsArgs};
use crate::config::Files;
use crate::program::{Failure, block_on, configure, open_store, print_part, report};

/// Events that are read together.
const PAGE: i64 = 1000;

/// Runs one of the commands.
pub fn run(command: AuditCommand, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::Existing)?;
    block_on(async {
        let store = open_store(&config).await?;
        match command {
            AuditCommand::Verify { noted } => verify(&store, noted, as_json).await,
            AuditCommand::Export(args) => export(&store, &args).await,
            AuditCommand::Erase { user } => erase(&store, user, as_json).await,
        }
    })
}

/// Says where the chain breaks, and fails then.
async fn verify(store: &Store, noted: Option<(i64, String)>, as_json: bool) -> Result<(), Failure> {
    let verified = store.verify_events(noted).await?;
    let waiting = store.waiting_events(PAGE).await?.len();
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
    }
    lines.join("\n")
}

/// Prints a JSON object for each event, the oldest first. A reader that has gone away is no reason to complain.
async fn export(store: &Store, args: &ExportEventsArgs) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = store.events_after(after, PAGE).await?;
        let Some(last) = page.last().and_then(|event| event.position) else { break };
        if !print(&page, args)? {
            return Ok(());
        }
        after = last;
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

async fn erase(store: &Store, user: UserId, as_json: bool) -> Result<(), Failure> {
    let event = Event::new(EventKind::PersonalDataErased, Actor::Operator, Clock::System.now());
    let event = Event { user: Some(user), ..event };
    let erased = store.noting(event).erase_personal_data(user).await?;
    let sentence = format!("The personal data in {erased} events about the user {user} are erased.");
    report(as_json, &json!({ "events": erased }), &sentence)
}
