//! What the token tables hold: enough to end a token, not enough to use one.

use countersign_auth::Rules;

use crate::service::{REFRESH_LIFETIME, Service, rotating, rules};

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
    assert_eq!(service.auth.flush_expired_tokens().await.unwrap(), 1);
    assert_eq!(ada.recorded().len(), 1);
    ada.refresh().await.unwrap();
}
