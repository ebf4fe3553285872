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

/// Somebody of each kind that is refused.
async fn people(service: &Service) -> Vec<Person<'_>> {
    let inactive = UserChange { is_active: Some(false), ..UserChange::default() };
    let hashed = |hash| UserChange { password_hash: Some(hash), ..UserChange::default() };
    let mut people = Vec::new();
    for (name, password, change) in [
        ("wrong", "wrong", UserChange::default()),
        ("inactive", PASSWORD, inactive.clone()),
        ("unusable", PASSWORD, hashed(PasswordHash::new("!nobody logs in with this".to_owned()))),
        ("imported", "wrong", hashed(imported_hash(PASSWORD))),
        (
            "inactive_imported",
            PASSWORD,
            UserChange { is_active: Some(false), ..hashed(imported_hash(PASSWORD)) },
        ),
    ] {
        let mut person = service.welcome(name).await;
        person.change(change).await;
        password.clone_into(&mut person.password);
        people.push(person);
    }
    people.push(service.stranger("unknown"));
    people
}

/// Seconds that a refusal takes, of each kind, taken in turns; `returns_early` when there is no such user, as a service would
/// that had lost its defence.
async fn samples(
    people: &mut [Person<'_>],
    service: &Service,
    returns_early: bool,
) -> Vec<(String, Vec<f64>)> {
    let mut samples: Vec<_> = people.iter().map(|person| (person.username.clone(), Vec::new())).collect();
    for round in 0..SAMPLES {
        for turn in 0..people.len() {
            let number = (in_williams_order(turn, people.len()) + round) % people.len();
            let person = &mut people[number];
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
fn worst(samples: &[(String, Vec<f64>)]) -> (f64, String) {
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
