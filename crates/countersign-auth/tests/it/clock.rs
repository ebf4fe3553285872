//! Clocks that are set, back or forward, and clocks that differ.

use countersign_auth::{AuditRules, Error, Flushed, LoginOutcome, Rules, Throttles};
use countersign_store::TokensOf;
use jiff::SignedDuration;

use crate::service::{ACCESS_LIFETIME, PASSWORD, Service, field, origin, refusal, rotating, rules};

const DAY: i64 = 24 * 3600;
const YEAR: i64 = 365 * DAY;

/// Whether an access token is good at this service now.
async fn is_good(service: &Service, access: &str) -> bool {
    service.auth.verify(field(access), &origin()).await.is_ok()
}

#[tokio::test]
async fn wherever_the_clock_is_set_a_token_is_good_from_its_making_to_its_end_and_the_leeway_around_that() {
    for leeway in [0, 30] {
        let service = Service::start_with_leeway(leeway);
        let ada = service.welcome("ada").await;
        let mut at = 0;
        let mut set_to = |seconds: i64| {
            service.clock.advance_secs(seconds - at);
            at = seconds;
        };
        for (seconds, good) in [
            (10 * YEAR, false),
            (ACCESS_LIFETIME + leeway, false),
            (ACCESS_LIFETIME + leeway - 1, true),
            (-leeway - 1, false),
            (-10 * YEAR, false),
            (-leeway, true),
            (0, true),
        ] {
            set_to(seconds);
            assert_eq!(is_good(&service, &ada.access).await, good, "{seconds} s after it was made");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_ends_no_session_and_brings_none_back() {
    let service = Service::start(rotating(true));
    let mut ada = service.welcome("ada").await;
    let gone = service.welcome("bob").await;
    gone.log_out().await.unwrap();
    let exchanged = ada.refresh.clone();
    ada.refresh().await.unwrap();
    service.clock.advance_secs(-3600);
    // They were made in what is the future now.
    assert_eq!(refusal(ada.present(&exchanged).await), "Token is invalid");
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is invalid");
    assert_eq!(refusal(gone.present(&gone.refresh).await), "Token is invalid");
    let mut again = service.stranger("ada");
    again.log_in().await.unwrap();
    again.refresh().await.unwrap();
    assert_eq!(again.whoami().await.unwrap(), "ada");
    service.clock.advance_secs(3600);
    ada.refresh().await.unwrap();
    again.refresh().await.unwrap();
    assert_eq!(refusal(gone.present(&gone.refresh).await), "Token is blacklisted");
}

#[tokio::test]
async fn a_clock_that_is_set_forward_for_a_while_ends_for_good_what_was_swept_meanwhile_and_no_more() {
    let service = Service::start(rotating(true));
    let mut ada = service.welcome("ada").await;
    let gone = service.welcome("bob").await;
    gone.log_out().await.unwrap();
    service.clock.advance_secs(YEAR);
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is expired");
    service.clock.advance_secs(-YEAR);
    ada.refresh().await.unwrap();
    service.clock.advance_secs(YEAR);
    service.stranger("ada").log_in().await.unwrap(); // which sweeps
    service.clock.advance_secs(-YEAR);
    for (person, of) in [(&ada, "that would have expired"), (&gone, "that had ended")] {
        assert_eq!(refusal(person.present(&person.refresh).await), "Token is blacklisted", "a session {of}");
    }
    let mut again = service.stranger("ada");
    again.log_in().await.unwrap();
    again.refresh().await.unwrap();
}

/// On a database that others of an honest clock share, ours being ahead by centuries.
#[tokio::test]
async fn what_others_still_need_stays_when_one_clock_is_far_ahead_of_the_databases() {
    let retention = SignedDuration::from_hours(100 * 365 * 24);
    let audit = AuditRules { retention, ..AuditRules::default() };
    let rules = Rules { audit, django_peer: true, ..rotating(true) };
    let Some([service, _]) = Service::start_two_on_postgres(rules).await else { return };
    service.clock.advance_secs(300 * YEAR);
    let ada = service.welcome("ada").await;
    ada.blacklist().await.unwrap();
    service.clock.advance_secs(300 * YEAR);
    assert_eq!(
        service.auth.delete_old_events().await.unwrap(),
        0,
        "by the database's clock they are of tomorrow"
    );
    for _ in 0..3 {
        service.stranger("ada").log_in().await.unwrap(); // which sweeps
    }
    assert_eq!(service.auth.flush_expired_tokens(drop).await.unwrap(), Flushed::default());
    let kept = service.store.outstanding_tokens(&TokensOf::User(ada.row().await.id)).await.unwrap();
    assert!(kept.iter().any(|token| token.is_blacklisted), "{kept:?}");
    service.clock.advance_secs(-300 * YEAR);
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is blacklisted");
}

#[tokio::test]
async fn throttles_and_known_devices_survive_a_clock_that_is_set() {
    let throttles = Throttles {
        is_on: true,
        known_device_lifetime: SignedDuration::from_hours(48),
        login_account: Some("5/min".parse().unwrap()),
        login_device: Some("5/min".parse().unwrap()),
        ..Throttles::default()
    };
    let service = Service::start(Rules { throttles, ..rules() });
    service.register("ada", PASSWORD).await.unwrap();
    let log_in = async |password: &str, mark: Option<&str>| match service
        .auth
        .log_in(field("ada"), field(password), &origin(), mark.as_slice())
        .await
    {
        Ok(LoginOutcome::Done(pair)) => Ok(pair.known_device.expect("they are on").mark),
        Err(Error::Throttled { wait_secs }) => Err(Some(wait_secs)),
        Err(_) => Err(None),
    };
    let use_up = async || {
        for _ in 0..100 {
            if let Err(Some(wait)) = log_in("a guess", None).await {
                return wait;
            }
        }
        panic!("it is never used up");
    };
    let mark = log_in(PASSWORD, None).await.unwrap();
    assert!(use_up().await <= 20);
    for step in [-10 * YEAR, 10 * YEAR] {
        service.clock.advance_secs(step);
        assert!(use_up().await <= 20, "nobody is locked out for longer than ever, and guessing is bounded");
    }
    // What the clock's past has used up may have come back; the device's own budget is there in any case.
    log_in(PASSWORD, Some(&mark)).await.unwrap();
    service.clock.advance_secs(-3600);
    use_up().await;
    assert!(log_in(PASSWORD, Some(&mark)).await.is_err(), "a mark of the future is none");
    service.clock.advance_secs(3600 + 48 * 3600);
    use_up().await;
    assert!(log_in(PASSWORD, Some(&mark)).await.is_err(), "and neither is one that has expired");
    service.clock.advance_secs(-48 * 3600);
    use_up().await;
    log_in(PASSWORD, Some(&mark)).await.unwrap();
}

#[tokio::test]
async fn the_last_moments_that_can_be_written_do_not_make_it_panic() {
    for seconds in [-3000 * YEAR, 7000 * YEAR] {
        let service = Service::start(rotating(true));
        let before = service.welcome("ada").await;
        service.clock.advance_secs(seconds);
        let mut ada = service.stranger("ada");
        let logged_in = ada.log_in().await;
        if logged_in.is_ok() {
            ada.refresh().await.unwrap();
        }
        assert!(before.present(&before.refresh).await.is_err());
        let _ = service.auth.delete_old_events().await;
        let _ = service.auth.flush_expired_tokens(drop).await;
        service.clock.advance_secs(-seconds);
        service.stranger("ada").log_in().await.unwrap();
    }
}
