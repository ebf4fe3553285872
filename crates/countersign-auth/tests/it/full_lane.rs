//! The budgets of those who meet a full hashing lane: what was not guessed is given back, and no more; what was told is not.

use std::num::NonZero;
use std::time::Duration;

use countersign_auth::{Error, Lane, LoginOutcome, Origin, Rules, Throttles, TokenPair};
use countersign_domain::{PasswordHash, PasswordPolicy};
use countersign_password::Preferred;
use jiff::SignedDuration;

use crate::service::{Begun, PASSWORD, Service, begin, begin_waiting, field, origin, refusal, rules};

/// Slow enough that few may wait.
const COSTLY: Preferred = Preferred::Argon2id { memory_kib: 19_456, iterations: 2, parallelism: 1 };
/// A hash that the worker is busy with for longer than it takes to look at what goes on beside it.
const ENDLESS: &str = "bcrypt$$2b$16$abcdefghijklmnopqrstuOPg4V96XbZUNOSHrQuXIa766sd.WascO";
/// More than have a place.
const MANY: usize = 10_000;

type Login = Result<LoginOutcome<TokenPair>, Error>;

fn slowed_down(mut throttles: Throttles) -> Service {
    throttles.is_on = true;
    throttles.known_device_lifetime = SignedDuration::from_hours(48);
    let lane = Lane { workers: NonZero::new(1), max_wait: Duration::from_secs(20), ..Lane::default() };
    Service::start_hashing(Rules { lane, throttles, ..rules() }, COSTLY, PasswordPolicy::new(Vec::new()))
}

/// Those who keep the only worker busy and have all places behind it.
struct Crowd<'a> {
    service: &'a Service,
    origin: &'a Origin<'a>,
    busy: Begun<'a, Login>,
    waiting: Vec<Begun<'a, Login>>,
}

impl<'a> Crowd<'a> {
    /// The account `sloth` has to be there.
    async fn gather(service: &'a Service, origin: &'a Origin<'a>) -> Self {
        service.stranger("sloth").store_hash(PasswordHash::new(ENDLESS.to_owned())).await;
        let busy = begin_waiting(service.auth.log_in(field("sloth"), field("a guess"), origin, &[]));
        let queue = &service.store.metrics().hashing.queue;
        for _ in 0..10_000 {
            if queue.get() == 0 {
                return Self { service, origin, busy, waiting: Vec::new() };
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the worker does not come");
    }

    /// Takes all places, or those that have become free.
    fn close_ranks(&mut self) {
        for _ in 0..MANY {
            let guess = self.service.auth.log_in(field("nobody"), field("a guess"), self.origin, &[]);
            match begin(guess) {
                (request, None) => self.waiting.push(request),
                (_, Some(refused)) => {
                    assert!(matches!(refused, Err(Error::Overloaded)), "{refused:?}");
                    return;
                }
            }
        }
        panic!("{MANY} wait and the lane is not full");
    }

    /// Leaves; the lane is free.
    async fn go(self) {
        drop(self.waiting);
        assert!(matches!(self.busy.await, Err(Error::NoActiveAccount)));
    }
}

#[tokio::test]
async fn a_guess_with_a_stolen_mark_that_meets_a_full_lane_gives_back_no_more_than_it_took() {
    let service =
        slowed_down(Throttles { login_device: Some("10/hour".parse().unwrap()), ..Throttles::default() });
    for name in ["ada", "sloth"] {
        service.register(name, PASSWORD).await.unwrap();
    }
    let client = origin();
    let log_in = async |password: &str, mark: Option<&str>| {
        service.auth.log_in(field("ada"), field(password), &client, mark.as_slice()).await
    };
    let LoginOutcome::Done(pair) = log_in(PASSWORD, None).await.unwrap();
    let stolen = pair.known_device.expect("a mark").mark;
    let guess = async || log_in("a guess", Some(&stolen)).await;
    for _ in 0..2 {
        assert!(matches!(guess().await, Err(Error::NoActiveAccount)));
    }
    let mut crowd = Crowd::gather(&service, &client).await;
    for _ in 0..4 {
        crowd.close_ranks();
        assert!(matches!(guess().await, Err(Error::Overloaded)));
    }
    crowd.go().await;
    assert!(matches!(guess().await, Err(Error::NoActiveAccount)), "what was not hashed cost nothing");
    assert!(matches!(guess().await, Err(Error::Throttled { .. })), "three may come at once, lane or no lane");
}

#[tokio::test]
async fn a_full_lane_tells_no_more_names_than_the_budget_of_registrations_has() {
    let register_address = Some("6/hour".parse().unwrap());
    let service = slowed_down(Throttles { register_address, ..Throttles::default() });
    service.register("sloth", PASSWORD).await.unwrap();
    let client = origin();
    let mut crowd = Crowd::gather(&service, &client).await;
    let before = service.auth.hashing_work();
    let mut told = Vec::new();
    for name in ["nobody", "sloth", "somebody", "sloth"] {
        crowd.close_ranks();
        told.push(match service.register(name, PASSWORD).await {
            Err(Error::Overloaded) => "overloaded",
            Err(Error::Fields(_)) => "taken",
            Err(Error::Throttled { .. }) => "throttled",
            other => panic!("{}", refusal(other)),
        });
    }
    // Two may come without a wait, and the first was that of `sloth`.
    assert_eq!(told, ["overloaded", "throttled", "throttled", "throttled"]);
    assert_eq!(service.auth.hashing_work(), before, "nothing was hashed for that");
    crowd.go().await;
}
