//! What the token tables hold: enough to end a token, not enough to use one.

use countersign_auth::{LoginOutcome, Rules};

use crate::service::{PASSWORD, REFRESH_LIFETIME, SLIDING_REFRESH_LIFETIME, Service, field, rotating, rules};

/// The text without its signature.
fn unsigned(token: &str) -> String {
    let (signed_part, _) = token.rsplit_once('.').unwrap();
    format!("{signed_part}.")
}

#[tokio::test]
async fn a_leaked_table_does_not_hand_out_sessions() {
    let service = Service::start(rotating(true));
    let mut ada = service.welcome("ada").await;
    let mut handed_out = vec![ada.refresh.clone()];
    ada.refresh().await.unwrap();
    handed_out.push(ada.refresh.clone());
    ada.blacklist().await.unwrap();
    let recorded: Vec<String> = ada.recorded().into_iter().map(|token| token.text).collect();
    assert_eq!(recorded, handed_out.iter().map(|token| unsigned(token)).collect::<Vec<_>>());
    for text in recorded {
        assert!(ada.present(&text).await.is_err());
        assert!(ada.verify(&text).is_err());
    }
}

#[tokio::test]
async fn a_django_beside_us_finds_the_whole_token() {
    let service = Service::start(Rules { django_peer: true, ..rotating(true) });
    let mut ada = service.welcome("ada").await;
    let mut handed_out = vec![ada.refresh.clone()];
    ada.refresh().await.unwrap();
    handed_out.push(ada.refresh.clone());
    let recorded: Vec<String> = ada.recorded().into_iter().map(|token| token.text).collect();
    assert_eq!(recorded, handed_out);
}

#[tokio::test]
async fn expired_tokens_are_flushed_and_good_ones_stay() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    ada.blacklist().await.unwrap();
    service.clock.advance_secs(1);
    ada.log_in().await.unwrap();
    service.clock.advance_secs(REFRESH_LIFETIME - 1);
    assert_eq!(
        service.auth.flush_expired_tokens().await.unwrap(),
        0,
        "a sliding token might yet be refreshed"
    );
    ada.refresh().await.unwrap();
    service.clock.advance_secs(SLIDING_REFRESH_LIFETIME);
    assert_eq!(service.auth.flush_expired_tokens().await.unwrap(), 1);
    assert_eq!(ada.recorded().len(), 1);
}

#[tokio::test]
async fn the_tokens_of_those_who_log_in_day_after_day_do_not_pile_up() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    for _ in 0..50 {
        service.clock.advance_secs(REFRESH_LIFETIME);
        ada.log_in().await.unwrap();
    }
    let count = ada.recorded().len();
    assert!(count < 15, "{count} tokens are recorded, of which one is good");
}

#[tokio::test]
async fn what_is_printed_of_an_answer_is_not_a_token() {
    let service = Service::start(rotating(true));
    let ada = service.welcome("ada").await;
    let outcome = service.auth.log_in(field("ada"), field(PASSWORD)).await.unwrap();
    let printed = format!("{outcome:?} {:?}", ada.present(&ada.refresh).await.unwrap());
    let LoginOutcome::Done(pair) = outcome;
    assert_eq!(printed + &format!(" {pair:?}"), "Done(..) Refreshed(..) TokenPair(..)");
}
