//! Guessing is slowed down, whoever guesses from wherever, and nobody can lock a person out whose device is known.

use std::sync::Arc;

use countersign_auth::{Error, LoginOutcome, Origin, Rules, Throttles};
use countersign_domain::{Client, Rate};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::service::{ONE_HASH, PASSWORD, Service, claims, field, origin, refusal, rotating, rules, sign};

const WRONG: &str = "no active account with these credentials";
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[expect(clippy::unnecessary_wraps, reason = "it may be bounded or not")]
fn rate(text: &str) -> Option<Rate> {
    Some(text.parse().unwrap())
}

/// Nothing is bounded yet, but devices get marks.
fn on() -> Throttles {
    Throttles { is_on: true, known_device_lifetime: SignedDuration::from_hours(48), ..Throttles::default() }
}

fn throttled(throttles: Throttles) -> Rules {
    Rules { throttles, ..rules() }
}

/// A service on each engine.
async fn on_each_engine(throttles: Throttles) -> Vec<Service> {
    let rules = throttled(throttles);
    let postgres = Service::start_two_on_postgres(rules.clone()).await.map(|[one, _]| one);
    std::iter::once(Service::start(rules)).chain(postgres).collect()
}

fn at(address: &str) -> Origin<'static> {
    Origin::new(Client::new(Some(address.to_owned()), "a browser"), "a-request")
}

/// The mark that a login hands out, or why it is refused.
async fn log_in(
    service: &Service,
    name: &str,
    password: &str,
    address: &str,
    mark: Option<&str>,
) -> Result<String, Error> {
    let LoginOutcome::Done(pair) =
        service.auth.log_in(field(name), field(password), &at(address), mark.as_slice()).await?;
    Ok(pair.known_device.expect("they are on").mark)
}

/// How a guess ends: refused with the password's words, or how long it has to wait.
async fn guess(service: &Service, name: &str, address: &str) -> String {
    match log_in(service, name, "a guess", address, None).await {
        Err(Error::Throttled { wait_secs }) => format!("wait {wait_secs}"),
        outcome => refusal(outcome),
    }
}

async fn guesses(service: &Service, name: &str, address: &str, count: usize) -> Vec<String> {
    let mut outcomes = Vec::new();
    for _ in 0..count {
        outcomes.push(guess(service, name, address).await);
    }
    outcomes
}

#[tokio::test]
async fn known_and_unknown_names_are_slowed_down_alike_and_before_a_hash_is_spent() {
    for service in on_each_engine(Throttles { login_account: rate("5/min"), ..on() }).await {
        service.register("ada", PASSWORD).await.unwrap();
        let mut of_both = Vec::new();
        for name in ["ada", "nobody"] {
            let before = service.auth.hashing_work();
            let mut outcomes = guesses(&service, name, "192.0.2.1", 4).await;
            service.clock.advance_secs(10);
            outcomes.extend(guesses(&service, name, "198.51.100.1", 2).await);
            let hashes = (service.auth.hashing_work() - before) / ONE_HASH;
            of_both.push((outcomes, hashes));
            service.clock.advance_secs(600);
        }
        assert_eq!(of_both[0].0, [WRONG, WRONG, "wait 10", "wait 10", WRONG, "wait 20"]);
        assert_eq!(of_both[0].1, 3);
        assert_eq!(of_both[0], of_both[1]);
    }
}

#[tokio::test]
async fn neither_another_spelling_nor_the_taking_of_a_name_tells_by_its_budget_whether_it_was_taken() {
    let service = Service::start(throttled(Throttles { login_account: rate("2/hour"), ..on() }));
    service.register("ada", PASSWORD).await.unwrap();
    for name in ["ada", "nobody"] {
        assert_eq!(guess(&service, name, "192.0.2.1").await, WRONG);
        assert_eq!(guess(&service, name, "192.0.2.1").await, "wait 1800");
        assert_eq!(guess(&service, &name.to_uppercase(), "192.0.2.1").await, WRONG);
    }
    service.register("nobody", PASSWORD).await.unwrap();
    assert_eq!(guess(&service, "nobody", "192.0.2.1").await, "wait 1800");
}

#[tokio::test]
async fn an_address_and_the_network_around_it_are_bounded_whomever_they_guess() {
    for service in on_each_engine(Throttles { login_address: rate("2/hour"), ..on() }).await {
        for (one, same, near, far) in [
            ("192.0.2.1", "192.0.2.1", ["192.0.2.2", "192.0.2.3", "192.0.2.4"], "192.0.3.1"),
            ("::ffff:10.0.0.1", "10.0.0.1", ["10.0.0.2", "10.0.0.3", "10.0.0.4"], "10.0.1.1"),
            (
                "2001:db8::1",
                "2001:db8::ff",
                ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"],
                "2001:db8:1::",
            ),
        ] {
            assert_eq!(guess(&service, "a", one).await, WRONG);
            assert_eq!(guess(&service, "b", same).await, "wait 1800", "{same}");
            // Eight in an hour from the network: four may come at once, the last of them after a wait.
            let [second, third, fourth] = near;
            assert_eq!(guess(&service, "c", second).await, WRONG, "{second}");
            assert_eq!(guess(&service, "d", third).await, WRONG, "{third}");
            assert_eq!(guess(&service, "e", fourth).await, "wait 360", "{fourth}");
            assert_eq!(guess(&service, "f", far).await, WRONG, "{far}");
        }
    }
}

#[tokio::test]
async fn all_guesses_together_are_bounded_wherever_they_come_from() {
    for service in on_each_engine(Throttles { login_global: rate("4/hour"), ..on() }).await {
        let mut outcomes = Vec::new();
        for number in 1..5 {
            outcomes.push(guess(&service, &format!("user{number}"), &format!("192.0.{number}.1")).await);
        }
        // Two may come at once, one of them without a wait.
        assert_eq!(outcomes, [WRONG, WRONG, "wait 1200", "wait 1200"]);
    }
}

#[tokio::test]
async fn a_right_password_costs_nothing_however_often() {
    let tight = Throttles {
        login_account: rate("4/day"),
        login_address: rate("4/day"),
        login_global: rate("4/day"),
        ..on()
    };
    for service in on_each_engine(tight).await {
        service.register("ada", PASSWORD).await.unwrap();
        for _ in 0..20 {
            log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap();
        }
        assert_eq!(guess(&service, "ada", "192.0.2.1").await, WRONG, "nothing of the budgets is gone");
        service.auth.set_active("ada", false).await.unwrap();
        let inactive = log_in(&service, "ada", PASSWORD, "203.0.113.9", None).await;
        assert!(matches!(inactive, Err(Error::Throttled { .. } | Error::NoActiveAccount)), "{inactive:?}");
    }
}

#[tokio::test]
async fn whoever_has_an_account_cannot_make_whole_what_they_share_with_others() {
    let shared = Throttles { login_account: rate("20/day"), login_address: rate("20/day"), ..on() };
    for service in on_each_engine(shared).await {
        service.register("eve", PASSWORD).await.unwrap();
        service.register("ada", PASSWORD).await.unwrap();
        let mut admitted = 0;
        for _ in 0..40 {
            admitted += usize::from(guess(&service, "ada", "192.0.2.1").await == WRONG);
            let _ = log_in(&service, "eve", PASSWORD, "192.0.2.1", None).await;
            let _ = log_in(&service, "ada", PASSWORD, "198.51.100.1", None).await;
        }
        assert!((5..=10).contains(&admitted), "{admitted}");
    }
}

#[tokio::test]
async fn who_has_logged_in_on_a_device_before_is_let_in_while_others_use_up_the_account() {
    let tight = Throttles {
        login_account: rate("4/day"),
        login_device: rate("10/hour"),
        login_address: rate("4/day"),
        login_global: rate("4/day"),
        ..on()
    };
    for service in on_each_engine(tight).await {
        service.register("ada", PASSWORD).await.unwrap();
        let mark = log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap();
        while guess(&service, "ada", "192.0.2.1").await == WRONG {}
        let before = service.auth.hashing_work();
        let stranger = log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await;
        assert!(matches!(stranger, Err(Error::Throttled { .. })));
        assert_eq!(service.auth.hashing_work(), before);
        let mark = log_in(&service, "ada", PASSWORD, "192.0.2.1", Some(&mark)).await.unwrap();
        // That goes on, and does not make whole what the others have used up.
        log_in(&service, "ada", PASSWORD, "192.0.2.1", Some(&mark)).await.unwrap();
        assert_ne!(guess(&service, "ada", "192.0.2.1").await, WRONG);
    }
}

#[tokio::test]
async fn a_known_device_has_a_budget_of_its_own_which_the_right_password_makes_whole() {
    for service in on_each_engine(Throttles { login_device: rate("10/hour"), ..on() }).await {
        service.register("ada", PASSWORD).await.unwrap();
        let mark = log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap();
        let other = log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap();
        for _ in 0..3 {
            for _ in 0..2 {
                assert_eq!(
                    refusal(log_in(&service, "ada", "a guess", "192.0.2.1", Some(&mark)).await),
                    WRONG
                );
            }
            let next = log_in(&service, "ada", PASSWORD, "192.0.2.1", Some(&mark)).await;
            next.expect("a slip of the finger is forgiven");
        }
        let mut admitted = 0;
        for _ in 0..30 {
            let outcome = log_in(&service, "ada", "a guess", "192.0.2.1", Some(&mark)).await;
            admitted += usize::from(matches!(outcome, Err(Error::NoActiveAccount)));
        }
        assert_eq!(admitted, 3, "with a device's mark one cannot guess on and on");
        log_in(&service, "ada", PASSWORD, "192.0.2.1", Some(&other)).await.expect("another device");
    }
}

#[tokio::test]
async fn however_many_marks_somebody_has_had_all_of_an_account_are_bounded_together() {
    for service in on_each_engine(Throttles { login_device: rate("4/hour"), ..on() }).await {
        service.register("ada", PASSWORD).await.unwrap();
        service.register("eve", PASSWORD).await.unwrap();
        let mut marks = Vec::new();
        for _ in 0..30 {
            marks.push(log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap());
        }
        let before = service.auth.hashing_work();
        for _ in 0..2 {
            for mark in &marks {
                let guess = log_in(&service, "ada", "a guess", "192.0.2.1", Some(mark)).await;
                assert!(matches!(guess, Err(Error::NoActiveAccount | Error::Throttled { .. })), "{guess:?}");
            }
        }
        assert_eq!(
            (service.auth.hashing_work() - before) / ONE_HASH,
            5,
            "half of 16/hour, and half of that at once"
        );
        let mark = log_in(&service, "eve", PASSWORD, "192.0.2.1", None).await.unwrap();
        log_in(&service, "eve", PASSWORD, "192.0.2.1", Some(&mark)).await.expect("another account");
    }
}

#[tokio::test]
async fn a_mark_that_has_used_up_its_budget_stands_before_none_that_has_not() {
    for service in on_each_engine(Throttles { login_device: rate("4/hour"), ..on() }).await {
        service.register("ada", PASSWORD).await.unwrap();
        let [planted, own] = [(), ()].map(|()| log_in(&service, "ada", PASSWORD, "192.0.2.1", None));
        let (planted, own) = (planted.await.unwrap(), own.await.unwrap());
        let guess = async || log_in(&service, "ada", "a guess", "192.0.2.9", Some(&planted)).await;
        while matches!(guess().await, Err(Error::NoActiveAccount)) {}
        let brought = [planted.as_str(), planted.as_str(), own.as_str()];
        let with_all = async |password: &str| {
            service.auth.log_in(field("ada"), field(password), &at("192.0.2.1"), &brought).await
        };
        let LoginOutcome::Done(pair) = with_all(PASSWORD).await.expect("its own has all of it");
        let device = |mark: &str| mark.split('.').next().unwrap().to_owned();
        assert_eq!(device(&pair.known_device.unwrap().mark), device(&own), "it goes on as that device");
        let mut admitted = 0;
        for _ in 0..10 {
            admitted += usize::from(matches!(with_all("a guess").await, Err(Error::NoActiveAccount)));
        }
        assert!((1..=2).contains(&admitted), "several marks are no more guesses than each has: {admitted}");
    }
}

#[tokio::test]
async fn where_all_marks_have_used_up_their_budgets_the_one_is_waited_for_that_is_free_first() {
    for service in on_each_engine(Throttles { login_device: rate("4/hour"), ..on() }).await {
        service.register("ada", PASSWORD).await.unwrap();
        let [early, late] = [(), ()].map(|()| log_in(&service, "ada", PASSWORD, "192.0.2.1", None));
        let (early, late) = (early.await.unwrap(), late.await.unwrap());
        let wait_with = async |marks: &[&str]| {
            let guess =
                async || service.auth.log_in(field("ada"), field("a guess"), &at("192.0.2.1"), marks).await;
            for _ in 0..10 {
                match guess().await {
                    Err(Error::NoActiveAccount) => {}
                    Err(Error::Throttled { wait_secs }) => return wait_secs,
                    other => panic!("{other:?}"),
                }
            }
            panic!("it is never used up")
        };
        wait_with(&[&early]).await;
        service.clock.advance_secs(600);
        let (of_late, of_early) = (wait_with(&[&late]).await, wait_with(&[&early]).await);
        assert!(of_early < of_late, "{of_early} {of_late}");
        assert_eq!(wait_with(&[&early, &late]).await, of_early);
        assert_eq!(wait_with(&[&late, &early]).await, of_early);
    }
}

#[tokio::test]
async fn marks_that_a_neighbour_has_planted_hide_none_as_long_as_they_fit_into_a_head() {
    let service = Service::start(throttled(Throttles { login_account: rate("2/day"), ..on() }));
    service.register("ada", PASSWORD).await.unwrap();
    let own = log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap();
    let (_, rest) = own.split_once('.').unwrap();
    let mut brought: Vec<String> = (0..550).map(|device| format!("{device:032x}.{rest}")).collect();
    brought.extend(["no mark".to_owned(), own]);
    let brought: Vec<&str> = brought.iter().map(String::as_str).collect();
    while guess(&service, "ada", "192.0.2.1").await == WRONG {}
    let logged_in = service.auth.log_in(field("ada"), field(PASSWORD), &at("192.0.2.1"), &brought).await;
    assert!(logged_in.is_ok(), "{logged_in:?}");
}

#[tokio::test]
async fn a_mark_is_good_for_its_user_until_it_expires_or_the_password_changes() {
    let service = Service::start(throttled(Throttles { login_account: rate("2/day"), ..on() }));
    service.register("ada", PASSWORD).await.unwrap();
    service.register("eve", PASSWORD).await.unwrap();
    let of_ada = log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap();
    let of_eve = log_in(&service, "eve", PASSWORD, "192.0.2.1", None).await.unwrap();
    assert_eq!(guess(&service, "ada", "192.0.2.1").await, WRONG);
    let is_known = async |mark: &str| match log_in(&service, "ada", PASSWORD, "192.0.2.1", Some(mark)).await {
        Ok(_) => true,
        Err(Error::Throttled { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    assert!(is_known(&of_ada).await);
    assert!(!is_known(&of_eve).await);
    // Accounts that were made by copying have one hash.
    let hash = service.stranger("ada").row().await.password_hash;
    service.stranger("eve").store_hash(hash).await;
    let of_eve = log_in(&service, "eve", PASSWORD, "192.0.2.1", None).await.unwrap();
    assert!(!is_known(&of_eve).await);
    let [device, expires, code] = of_ada.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let later = expires.parse::<i64>().unwrap() + 1;
    for forged in [
        String::new(),
        "..".to_owned(),
        format!("{device}.{later}.{code}"),
        format!("{device}.{expires}.{}", "0".repeat(64)),
        format!("{device}.{expires}"),
        format!("{}.{expires}.{code}", "0".repeat(32)),
        format!("{device}.{expires}.{code}{}", "0".repeat(200)),
    ] {
        assert!(!is_known(&forged).await, "{forged}");
    }
    service.clock.advance_secs(2 * DAY - 1);
    while guess(&service, "ada", "192.0.2.1").await == WRONG {}
    assert!(is_known(&of_ada).await);
    service.clock.advance_secs(1);
    assert!(!is_known(&of_ada).await, "it has expired");

    service.clock.advance_secs(2 * DAY);
    let of_ada = log_in(&service, "ada", PASSWORD, "192.0.2.1", None).await.unwrap();
    service.auth.change_password("ada", "quite another one").await.unwrap();
    assert_eq!(guess(&service, "ada", "192.0.2.1").await, WRONG);
    let with_mark =
        service.auth.log_in(field("ada"), field("quite another one"), &at("192.0.2.1"), &[&of_ada]).await;
    assert!(matches!(with_mark, Err(Error::Throttled { .. })), "the password has changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_who_guess_at_once_no_more_reach_a_hash_than_there_is_room_for() {
    for service in on_each_engine(Throttles { login_account: rate("5/min"), ..on() }).await {
        service.register("ada", PASSWORD).await.unwrap();
        let before = service.auth.hashing_work();
        let service = Arc::new(service);
        let mut all = JoinSet::new();
        for number in 0..50 {
            let service = Arc::clone(&service);
            all.spawn(async move { guess(&service, "ada", &format!("192.0.{number}.1")).await });
        }
        let outcomes = all.join_all().await;
        let hashes = (service.auth.hashing_work() - before) / ONE_HASH;
        assert_eq!(hashes, 2, "{outcomes:?}");
    }
}

#[tokio::test]
async fn what_was_used_up_at_one_server_is_used_up_at_all_and_after_a_restart() {
    let rules = throttled(Throttles { login_account: rate("2/hour"), ..on() });
    let one = Service::start(rules.clone());
    let other = one.beside(rules.clone());
    assert_eq!(guess(&one, "ada", "192.0.2.1").await, WRONG);
    assert_eq!(guess(&other, "ada", "192.0.2.1").await, "wait 1800");
    let later = one.beside(rules.clone());
    drop((one, other));
    assert_eq!(guess(&later, "ada", "192.0.2.1").await, "wait 1800");
    let Some([one, other]) = Service::start_two_on_postgres(rules).await else { return };
    assert_eq!(guess(&one, "ada", "192.0.2.1").await, WRONG);
    assert_eq!(guess(&other, "ada", "192.0.2.1").await, "wait 1800");
}

#[tokio::test]
async fn registrations_are_bounded_whether_they_succeed_or_tell_that_a_name_is_taken() {
    let bounded = Throttles { register_address: rate("6/hour"), register_global: rate("8/hour"), ..on() };
    for service in on_each_engine(bounded).await {
        service.register("ada", PASSWORD).await.unwrap();
        let before = service.auth.hashing_work();
        let taken = service.register("ada", PASSWORD).await;
        assert!(matches!(taken, Err(Error::Fields(_))), "{taken:?}"); // which makes two, and one may come at once
        let next = service.register("bob", PASSWORD).await;
        assert!(matches!(next, Err(Error::Throttled { .. })), "{next:?}");
        assert_eq!(service.auth.hashing_work(), before);
        let register = async |name: &str, address: &str| {
            service.auth.register(field(name), field("a@example.com"), field(PASSWORD), &at(address)).await
        };
        register("carol", "198.51.100.1").await.expect("another network");
        let fourth = register("dave", "203.0.113.1").await;
        assert!(matches!(fourth, Err(Error::Throttled { .. })), "all together: {fourth:?}");
    }
}

#[tokio::test]
async fn a_registration_that_fails_for_a_reason_of_ours_costs_nothing() {
    let bounded = throttled(Throttles { register_address: rate("2/hour"), ..on() });
    let Some([service, _]) = Service::start_two_on_postgres(bounded).await else { return };
    service.run("ALTER TABLE auth_user RENAME TO gone");
    for _ in 0..3 {
        let failed = service.register("ada", PASSWORD).await;
        assert!(matches!(failed, Err(Error::Store(_))), "{failed:?}");
    }
    service.run("ALTER TABLE gone RENAME TO auth_user");
    service.register("ada", PASSWORD).await.unwrap();
    let next = service.register("bob", PASSWORD).await;
    assert!(matches!(next, Err(Error::Throttled { .. })), "{next:?}");
}

#[tokio::test]
async fn bad_tokens_are_bounded_and_good_ones_pass_all_the_same() {
    let rules = Rules { throttles: Throttles { token_address: rate("4/hour"), ..on() }, ..rotating(true) };
    let postgres = Service::start_two_on_postgres(rules.clone()).await.map(|[one, _]| one);
    for service in std::iter::once(Service::start(rules)).chain(postgres) {
        let mut ada = service.welcome("ada").await;
        let mut forged = claims(&ada.refresh);
        forged.set("token_type", "other");
        let forged = sign(&forged);
        assert_eq!(refusal(ada.present("no token").await), "Token is invalid");
        assert_eq!(refusal(ada.verify("no token").await), "Token is invalid");
        for _ in 0..3 {
            let throttled = Err::<(), _>(Error::Throttled { wait_secs: 1200 });
            let throttled = refusal(throttled);
            assert_eq!(refusal(ada.present("no token").await), throttled);
            assert_eq!(refusal(ada.verify("no token").await), throttled);
            let client = origin();
            assert_eq!(refusal(service.auth.blacklist(field(&forged), &client).await), throttled);
            assert_eq!(client.evidence().counter, Some("token_address"));
            assert_eq!(refusal(service.auth.refresh_sliding(field("no token"), &origin()).await), throttled);
            ada.refresh().await.unwrap();
            ada.verify(&ada.access).await.unwrap();
            ada.whoami().await.unwrap();
        }
        ada.blacklist().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_has_just_expired_is_no_guess() {
    let service = Service::start(throttled(Throttles { token_address: rate("2/day"), ..on() }));
    let ada = service.welcome("ada").await;
    service.clock.advance_secs(2 * DAY);
    for _ in 0..10 {
        assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is expired");
    }
}

#[tokio::test]
async fn this_machine_s_own_address_bounds_nothing_unless_the_proxies_are_known() {
    let bounded = Throttles { login_address: rate("2/hour"), ..on() };
    let service = Service::start(throttled(bounded.clone()));
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(guesses(&service, "ada", address, 3).await, [WRONG; 3], "{address}");
    }
    let service = Service::start(throttled(Throttles { has_trusted_proxies: true, ..bounded }));
    assert_eq!(guesses(&service, "ada", "127.0.0.1", 2).await, [WRONG, "wait 1800"]);
}

#[tokio::test]
async fn where_nothing_is_slowed_down_there_are_no_marks_and_no_rows() {
    let Some([service, _]) = Service::start_two_on_postgres(rules()).await else { return };
    service.register("ada", PASSWORD).await.unwrap();
    for _ in 0..30 {
        assert_eq!(guess(&service, "ada", "192.0.2.1").await, WRONG);
    }
    let LoginOutcome::Done(pair) =
        service.auth.log_in(field("ada"), field(PASSWORD), &origin(), &[]).await.unwrap();
    assert_eq!(pair.known_device, None);
    assert_eq!(service.rows("SELECT count(*) FROM countersign_attempt"), ["0"]);
}

/// The defaults of the program, for the rates that matter here.
fn defaults() -> Throttles {
    Throttles {
        login_account: rate("50/day"),
        login_device: rate("30/hour"),
        login_address: rate("100/hour"),
        login_global: rate("36000/hour"),
        ..on()
    }
}

/// Ten thousand addresses, each of a network of its own, attack one account for a day, one guess every two seconds or so.
#[tokio::test]
async fn of_a_day_s_guesses_from_ten_thousand_addresses_no_more_than_the_budget_reach_a_hash() {
    const ADDRESSES: u32 = 10_000;
    const GUESSES: u32 = 4 * ADDRESSES;
    let service = Service::start(throttled(defaults()));
    service.register("ada", PASSWORD).await.unwrap();
    let mut mark = log_in(&service, "ada", PASSWORD, "198.51.100.1", None).await.unwrap();
    let (before, mut by_owner, mut admitted) = (service.auth.hashing_work(), 0, 0);
    let began = service.clock.clone();
    for number in 0..GUESSES {
        let of = number % ADDRESSES;
        let address = format!("11.{}.{}.1", of / 250, of % 250);
        admitted += u64::from(guess(&service, "ada", &address).await == WRONG);
        let day = i64::from(number) * DAY / i64::from(GUESSES);
        let next = i64::from(number + 1) * DAY / i64::from(GUESSES);
        began.advance_secs(next - day);
        if number % 1000 == 999 {
            mark = log_in(&service, "ada", PASSWORD, "198.51.100.1", Some(&mark))
                .await
                .expect("at the first try");
            by_owner += 1;
        }
    }
    let hashes = (service.auth.hashing_work() - before) / ONE_HASH - by_owner;
    assert_eq!((hashes, by_owner), (admitted, 40));
    assert!((40..=50).contains(&hashes), "{hashes} guesses reached a hash");
}

/// The same from the owner's own network, so that all of that is used up too, and the owner has the name wrong first.
#[tokio::test]
async fn neighbours_of_the_owner_cannot_keep_a_known_device_out() {
    let service = Service::start(throttled(Throttles { login_global: rate("1000/hour"), ..defaults() }));
    service.register("ada", PASSWORD).await.unwrap();
    let mark = log_in(&service, "ada", PASSWORD, "198.51.100.1", None).await.unwrap();
    for number in 0..3000 {
        guess(&service, &format!("user{}", number % 700), &format!("198.51.100.{}", number % 250)).await;
    }
    let without = log_in(&service, "ada", PASSWORD, "198.51.100.1", None).await;
    assert!(matches!(without, Err(Error::Throttled { .. })), "the network is used up");
    log_in(&service, "ada", PASSWORD, "198.51.100.1", Some(&mark)).await.expect("at the first try");
}
