//! Whether the time of a refusal tells why: interleaved samples of each kind of account, and the effect between each two.
//! By hand and in `.ci/slow`, as times are only worth something where not everything is tested at once:
//!
//! `cargo test -p countersign-auth --test it uniformity -- --ignored --test-threads 1`

use std::time::Instant;

use countersign_domain::{PasswordHash, PasswordPolicy};
use countersign_password::{Hashers, Limits, Preferred, Salt, Workspace};
use countersign_store::UserChange;

use crate::service::{PASSWORD, Person, Service, refusal, rules};

/// Of each kind.
const SAMPLES: usize = 300;
/// Of each kind; no multiple of how many kinds there are, so that each of them comes at each turn.
const PEOPLE: usize = 25;
/// Cliff's delta that would tell. Of so many samples of the same, chance alone makes one of 0.05 (one standard error), and of
/// 0.2 between any of fifteen pairs once in a thousand runs.
const TELLS: f64 = 0.2;
/// A few milliseconds each.
const PREFERRED: Preferred = Preferred::Argon2id { memory_kib: 4096, iterations: 1, parallelism: 1 };
const IMPORTED: Preferred = Preferred::Pbkdf2Sha256 { iterations: 30_000 };

fn imported_hash(password: &str) -> PasswordHash {
    let hashers = Hashers::new(IMPORTED, &[], Limits::default()).unwrap();
    PasswordHash::new(hashers.make(password, &Salt::from_random([7; 32]), &mut Workspace::default()))
}

fn service() -> Service {
    Service::start_hashing(rules(), PREFERRED, PasswordPolicy::new(Vec::new()))
}

/// Those of one kind, by what they are called.
type Kind<'a> = (&'static str, Vec<Person<'a>>);

/// Many of each kind that is refused: where Argon2id reads depends on password and salt, and some of it is quicker than other.
async fn people(service: &Service) -> Vec<Kind<'_>> {
    let mut kinds = Vec::new();
    for kind in ["wrong", "inactive", "unusable", "imported", "inactive_imported", "unknown"] {
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            people.push(one_of(kind, number, service).await);
        }
        kinds.push((kind, people));
    }
    kinds
}

async fn one_of<'a>(kind: &str, number: usize, service: &'a Service) -> Person<'a> {
    let (name, password) = (format!("{kind}-{number}"), format!("{PASSWORD} {number}"));
    let mut person = service.stranger(&name);
    let hash = match kind {
        "unusable" => Some(PasswordHash::new("!nobody logs in with this".to_owned())),
        "imported" | "inactive_imported" => Some(imported_hash(&password)),
        _ => None,
    };
    if kind != "unknown" {
        service.register(&name, &password).await.unwrap();
        let is_active = Some(!kind.starts_with("inactive"));
        person.change(UserChange { is_active, password_hash: hash, ..UserChange::default() }).await;
    }
    person.password =
        if ["wrong", "imported"].contains(&kind) { format!("wrong {number}") } else { password };
    person
}

/// Seconds that a refusal takes, of each kind, taken in turns; `returns_early` when there is no such user, as a service would
/// that had lost its defence.
async fn samples(
    kinds: &mut [Kind<'_>],
    service: &Service,
    returns_early: bool,
) -> Vec<(&'static str, Vec<f64>)> {
    let mut samples: Vec<_> = kinds.iter().map(|(kind, _)| (*kind, Vec::new())).collect();
    for round in 0..SAMPLES {
        for turn in 0..kinds.len() {
            let number = (in_williams_order(turn, kinds.len()) + round) % kinds.len();
            let person = &mut kinds[number].1[round % PEOPLE];
            let began = Instant::now();
            let has_returned = returns_early
                && service.store.find_user_by_username(&person.username).await.unwrap().is_none();
            if !has_returned {
                refusal(person.log_in().await);
            }
            samples[number].1.push(began.elapsed().as_secs_f64());
        }
    }
    samples
}

/// Moves to and fro, so that with as many rounds as there are people (an even number) each follows each other equally often:
/// whose work ends with Argon2 leaves its memory warm for whose begins with it (E. J. Williams, 1949).
fn in_williams_order(turn: usize, people: usize) -> usize {
    if turn % 2 == 1 { turn.div_ceil(2) } else { (people - turn / 2) % people }
}

/// How much more often one of the first is greater than one of the others than less: 0 if nothing tells them apart, 1 or -1
/// if everything does.
fn cliffs_delta(some: &[f64], others: &[f64]) -> f64 {
    let mut sum = 0.0;
    for one in some {
        for other in others {
            sum += f64::from(u8::from(one > other)) - f64::from(u8::from(one < other));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "there are a few hundred")]
    let pairs = (some.len() * others.len()) as f64;
    sum / pairs
}

/// The two kinds that are told apart best, and how well.
fn worst(samples: &[(&str, Vec<f64>)]) -> (f64, String) {
    for (name, times) in samples {
        let mut times = times.clone();
        times.sort_by(f64::total_cmp);
        println!("{name}: median {:.3} ms", times[times.len() / 2] * 1000.0);
    }
    let mut worst = (0.0, String::new());
    for (number, (name, some)) in samples.iter().enumerate() {
        for (other_name, others) in &samples[..number] {
            let delta = cliffs_delta(some, others).abs();
            println!("{name} and {other_name}: {delta:.3}");
            if delta > worst.0 {
                worst = (delta, format!("{name} and {other_name}: {delta:.3}"));
            }
        }
    }
    worst
}

#[tokio::test]
#[ignore = "it takes times, for which it wants to be alone"]
async fn the_time_of_a_refusal_tells_nothing() {
    let service = service();
    let mut people = people(&service).await;
    service.auth.look_at_hashes().await.unwrap();
    let (delta, who) = worst(&samples(&mut people, &service, false).await);
    assert!(delta < TELLS, "{who}");
}

#[tokio::test]
#[ignore = "it takes times, for which it wants to be alone"]
async fn an_early_return_would_be_noticed() {
    let service = service();
    let mut people = people(&service).await;
    service.auth.look_at_hashes().await.unwrap();
    let (delta, who) = worst(&samples(&mut people, &service, true).await);
    assert!(delta > 2.0 * TELLS && who.contains("unknown"), "{who}");
}

#[tokio::test]
#[ignore = "it takes times, for which it wants to be alone"]
async fn imported_hashes_that_nobody_has_looked_at_would_be_noticed() {
    let service = service();
    let mut people = people(&service).await;
    let (delta, who) = worst(&samples(&mut people, &service, false).await);
    assert!(delta > 2.0 * TELLS && who.contains("imported"), "{who}");
}
