//! A storm of logins: the queue of the hashing workers is bounded, and nothing else waits behind it.

use std::num::NonZero;
use std::time::Duration;

use countersign_auth::{Error, Lane, Rules};
use countersign_domain::PasswordPolicy;
use countersign_password::Preferred;

use crate::service::{PASSWORD, Service, begin, field, origin, rules};

/// Slow enough that the workers cannot keep up with a storm that comes all at once.
const COSTLY: Preferred = Preferred::Argon2id { memory_kib: 19_456, iterations: 2, parallelism: 1 };
const COST: u64 = 19_456 * 2;
const STORM: usize = 2000;

fn with_lane(max_wait: Duration) -> Rules {
    Rules { lane: Lane { workers: NonZero::new(2), max_wait, ..Lane::default() }, ..rules() }
}

#[test]
fn logins_beyond_the_queue_are_asked_to_come_back_and_those_who_left_cost_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let policy = PasswordPolicy::new(Vec::new());
    let service = Service::start_hashing(with_lane(Duration::from_secs(1)), COSTLY, policy);
    let mut ada = runtime.block_on(service.welcome("ada"));
    let before = service.auth.hashing_work();

    let client = origin();
    let log_in = || service.auth.log_in(field("nobody"), field(PASSWORD), &client, &[]);
    let mut waiting = Vec::new();
    for _ in 0..STORM {
        match begin(log_in()) {
            (_, Some(answer)) => assert!(matches!(answer, Err(Error::Overloaded)), "{answer:?}"),
            (request, None) => waiting.push(request),
        }
    }
    assert!((2..STORM / 2).contains(&waiting.len()), "{} wait", waiting.len());
    runtime.block_on(ada.refresh()).expect("a refresh does not wait for passwords");
    runtime.block_on(ada.whoami()).unwrap();

    drop(waiting);
    let answer = runtime.block_on(log_in());
    assert!(matches!(answer, Err(Error::NoActiveAccount)), "there is room at once: {answer:?}");
    let hashes = (service.auth.hashing_work() - before) / COST;
    assert!(hashes < STORM as u64 / 10, "{hashes} passwords were hashed, nearly all of them for nobody");
}

#[test]
fn everyone_in_the_queue_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let service = Service::start(with_lane(Duration::from_secs(3600)));
    let names: Vec<String> = (0..500).map(|number| format!("user{number}")).collect();
    let begun: Vec<_> = names.iter().map(|name| begin(service.register(name, PASSWORD))).collect();
    for ((request, at_once), name) in begun.into_iter().zip(&names) {
        let answer = at_once.unwrap_or_else(|| runtime.block_on(request));
        assert_eq!(answer.unwrap().username, *name);
    }
}
