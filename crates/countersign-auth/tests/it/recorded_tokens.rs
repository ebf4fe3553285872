//! What the token tables hold: enough to end a token, not enough to use one.

use countersign_auth::{Flushed, LoginOutcome, Rules};

use crate::service::{
    ACCESS_LIFETIME, PASSWORD, REFRESH_LIFETIME, SLIDING_REFRESH_LIFETIME, Service, field, origin, rotating,
    rules,
};

/// The text without its signature.
fn unsigned(token: &str) -> String {
    let (signed_part, _) = token.rsplit_once('.').unwrap();
    format!("{signed_part}.")
}

#[tokio::test]
async fn a_leaked_table_does_not_hand_out_sessions() {
    let service = Service::start(Rules { django_peer: true, ..rotating(true) });
    let mut ada = service.welcome("ada").await;
    let mut handed_out = vec![ada.refresh.clone()];
    ada.refresh().await.unwrap();
    handed_out.push(ada.refresh.clone());
    ada.blacklist().await.unwrap();
    let recorded: Vec<String> = ada.recorded().await.into_iter().map(|token| token.text).collect();
    assert_eq!(recorded, handed_out.iter().map(|token| unsigned(token)).collect::<Vec<_>>());
    for text in recorded {
        assert!(ada.present(&text).await.is_err());
        assert!(ada.verify(&text).await.is_err());
    }
}

#[tokio::test]
async fn without_a_django_beside_us_its_tables_stay_empty_until_a_token_is_blacklisted() {
    let service = Service::start(rotating(true));
    let mut ada = service.welcome("ada").await;
    ada.refresh().await.unwrap();
    assert_eq!(ada.recorded().await, []);
    ada.blacklist().await.unwrap();
    let recorded = ada.recorded().await;
    assert_eq!((recorded.len(), recorded[0].is_blacklisted), (1, true));
    assert_eq!(recorded[0].text, unsigned(&ada.refresh));
}

#[tokio::test]
async fn a_django_beside_us_finds_each_token_and_which_of_them_ended() {
    let service = Service::start(Rules { django_peer: true, ..rotating(true) });
    let mut ada = service.welcome("ada").await;
    let first = ada.refresh.clone();
    ada.refresh().await.unwrap();
    let found = async |ada: &crate::service::Person<'_>| {
        let tokens = ada.recorded().await.into_iter();
        tokens.map(|token| (token.text, token.is_blacklisted)).collect::<Vec<_>>()
    };
    assert_eq!(found(&ada).await, [(unsigned(&first), true), (unsigned(&ada.refresh), false)]);
    ada.present(&first).await.expect("a tab that was overtaken");
    assert_eq!(found(&ada).await.len(), 2, "the same successor is not recorded again");
    ada.log_out().await.unwrap();
    assert_eq!(found(&ada).await, [(unsigned(&first), true), (unsigned(&ada.refresh), true)]);
}

#[tokio::test]
async fn rows_that_are_past_use_are_flushed_and_good_ones_stay() {
    let service = Service::start(Rules { django_peer: true, ..rules() });
    let mut ada = service.welcome("ada").await;
    service.clock.advance_secs(1);
    ada.log_in().await.unwrap();
    service.clock.advance_secs(REFRESH_LIFETIME - 1);
    let flush = async || service.auth.flush_expired_tokens(drop).await.unwrap();
    assert_eq!(flush().await, Flushed { sessions: 0, tokens: 0 }, "a sliding token might yet be refreshed");
    ada.refresh().await.unwrap();
    service.clock.advance_secs(SLIDING_REFRESH_LIFETIME);
    assert_eq!(service.auth.count_expired().await.unwrap(), 1);
    assert_eq!(flush().await, Flushed { sessions: 0, tokens: 1 });
    service.clock.advance_secs(ACCESS_LIFETIME);
    assert_eq!(flush().await, Flushed { sessions: 1, tokens: 1 });
    service.clock.advance_secs(1);
    assert_eq!(flush().await, Flushed { sessions: 1, tokens: 0 });
    assert_eq!(ada.recorded().await, []);
}

#[tokio::test]
async fn the_rows_of_those_who_log_in_day_after_day_do_not_pile_up() {
    let service = Service::start(Rules { django_peer: true, ..rules() });
    let mut ada = service.welcome("ada").await;
    for _ in 0..50 {
        service.clock.advance_secs(REFRESH_LIFETIME);
        ada.log_in().await.unwrap();
    }
    let count = ada.recorded().await.len();
    assert!(count < 15, "{count} tokens are recorded, of which one is good");
    service.clock.advance_secs(10 * REFRESH_LIFETIME);
    let rest = service.auth.flush_expired_tokens(drop).await.unwrap();
    assert!(rest.sessions < 15, "{} sessions were kept, of which one was good", rest.sessions);
}

#[tokio::test]
async fn what_is_printed_of_an_answer_is_not_a_token() {
    let service = Service::start(rotating(true));
    let ada = service.welcome("ada").await;
    let outcome = service.auth.log_in(field("ada"), field(PASSWORD), &origin(), &[]).await.unwrap();
    let printed = format!("{outcome:?} {:?}", ada.present(&ada.refresh).await.unwrap());
    let LoginOutcome::Done(pair) = outcome;
    assert_eq!(printed + &format!(" {pair:?}"), "Done(..) Refreshed(..) TokenPair(..)");
}
