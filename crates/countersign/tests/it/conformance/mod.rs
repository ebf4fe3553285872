//! Replays the recorded exchanges with the reference, `conformance/golden`, over a real socket.
//!
//! For use by hand: `CONFORMANCE_ONLY=TEXT` replays the scenarios whose name contains it, `CONFORMANCE_GOLDEN=DIR`
//! those of another directory, and `CONFORMANCE_START` with `CONFORMANCE_HOOK` puts another server to the test.

mod clock;
#[path = "../../../../countersign-http/tests/it/described.rs"]
mod described;
mod differences;
mod hooks;
mod http_client;
mod matcher;
mod minting;
mod replay;
mod scenario;
mod server;
mod signing;
mod token_matcher;
mod variables;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::cluster::Cluster;
use described::Described;
use differences::{Difference, Differences};
use scenario::{Group, Scenario};
use server::{Server, StartError, Subject};

/// Groups replayed at once. More would only let the hashing of one make another wait.
const THREADS: usize = 4;

/// A scenario's name and what was wrong.
type Outcome = (String, Result<(), String>);

#[test]
fn every_recorded_scenario_is_answered_as_recorded() {
    replay_recordings(&subject(), |_| true);
}

#[test]
fn every_recorded_scenario_is_answered_as_recorded_on_postgresql() {
    let Some(cluster) = Cluster::shared() else { return };
    // A few recordings show what SQLite alone does.
    replay_recordings(&Subject::Program(Some(cluster)), |scenario| {
        !scenario.tags.iter().any(|tag| tag == "db:sqlite")
    });
}

fn replay_recordings(subject: &Subject, is_meant: impl Fn(&Scenario) -> bool) {
    let recorded =
        scenario::load(&signing::conformance_directory().join("golden")).expect("the recordings are there");
    let differences = match subject {
        Subject::Program(_) => {
            let path = signing::conformance_directory().join("differences.md");
            differences::parse(&std::fs::read_to_string(path).expect("the table is there"), &recorded)
                .expect("the table is right")
        }
        Subject::Other { .. } => Differences::new(),
    };
    let scenarios = match std::env::var("CONFORMANCE_GOLDEN") {
        Ok(directory) => scenario::load(directory.as_ref()).expect("they are there"),
        Err(_) => recorded,
    };
    let only = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();
    let chosen: Vec<Scenario> = scenarios
        .into_iter()
        .filter(|scenario| scenario.name.contains(&only) && is_meant(scenario))
        .collect();
    let count = chosen.len();

    let described = match subject {
        Subject::Program(_) => Some(Described::read().expect("the document can be read")),
        Subject::Other { .. } => None,
    };

    let outcomes = replay_all(scenario::group(chosen), &differences, described.as_ref(), subject);

    let failures: Vec<String> = outcomes
        .iter()
        .filter_map(|(name, result)| result.as_ref().err().map(|reason| format!("{name}: {reason}")))
        .collect();
    let failed = failures.len();
    assert!(failures.is_empty(), "{}\n{failed} of {count} scenarios failed", failures.join("\n"));
    assert_eq!(outcomes.len(), count, "every scenario has to be replayed");
    assert!(count > 0, "no scenario is named so");
    println!("{count} scenarios replayed");
    if let (Some(described), "") = (&described, only.as_str()) {
        let (answers, operations) = described.held();
        println!("{answers} answers of {operations} operations held against openapi.json");
        assert!(answers >= 1000 && operations >= 9, "{answers} answers of {operations} operations");
    }
}

fn subject() -> Subject {
    match (std::env::var("CONFORMANCE_START"), std::env::var("CONFORMANCE_HOOK")) {
        (Ok(start), Ok(hook)) => Subject::Other { start, hook },
        _ => Subject::Program(None),
    }
}

fn replay_all(
    groups: Vec<Group>,
    differences: &Differences,
    described: Option<&Described>,
    subject: &Subject,
) -> Vec<Outcome> {
    let waiting = Mutex::new(VecDeque::from(groups));
    let outcomes = Mutex::new(Vec::new());
    let turn = Mutex::new(());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(group) = next() {
                    let replay = || replay_group(&group, differences, described, subject, &turn);
                    let mut found = replay();
                    if found.iter().any(was_too_slow) {
                        found = replay();
                    }
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by(|one, other| one.0.cmp(&other.0));
    outcomes
}

/// Whether it may have failed because the machine was slow: its tokens live for a second or two. Then it has another try.
fn was_too_slow((name, result): &Outcome) -> bool {
    result.is_err() && ["me/really-expired", "settings/leeway-float"].contains(&name.as_str())
}

fn replay_group(
    group: &Group,
    differences: &Differences,
    described: Option<&Described>,
    subject: &Subject,
    turn: &Mutex<()>,
) -> Vec<Outcome> {
    let mut server = Server::start(group, subject, turn);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for scenario in &group.scenarios {
        let difference = differences.get(&scenario.name);
        let result = match (&server, difference) {
            (Err(StartError::Exited(log)), Some(Difference::RefusesToStart(text))) if log.contains(text) => {
                Ok(())
            }
            (Err(StartError::Exited(log)), _) => Err(format!("the server does not start: {log}")),
            (Err(StartError::Failed(reason)), _) => Err(reason.clone()),
            (Ok(_), Some(Difference::RefusesToStart(_))) => {
                Err("the server starts, which differences.md denies".to_owned())
            }
            (Ok(server), difference) => replay::replay(scenario, server, difference, described),
        };
        let note = if scenario.note.is_empty() { String::new() } else { format!(" ({})", scenario.note) };
        outcomes.push((scenario.name.clone(), result.map_err(|reason| reason + &note)));
    }
    // What ails the process itself is told of the last scenario of the group, which may not be the cause.
    if let (Ok(server), Some((_, result))) = (&mut server, outcomes.last_mut())
        && let Some(complaint) = server.complaint()
        && result.is_ok()
    {
        *result = Err(complaint);
    }
    outcomes
}
