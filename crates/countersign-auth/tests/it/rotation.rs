//! Rotation: a refresh token is exchanged for a successor, and who loses a race gets none.

use std::sync::Arc;

use crate::service::{REFRESH_LIFETIME, Service, field, refusal, rotating};

#[tokio::test]
async fn a_rotated_token_has_one_successor_and_is_ended() {
    let service = Service::start(rotating(true));
    let mut ada = service.welcome("ada").await;
    let first = ada.refresh.clone();
    ada.refresh().await.unwrap();
    assert_ne!(ada.refresh, first);
    assert_eq!(refusal(ada.present(&first).await), "Token is blacklisted");
    ada.refresh().await.expect("a replay of the first does not hurt its successor");
    let ended: Vec<bool> = ada.recorded().iter().map(|token| token.is_blacklisted).collect();
    assert_eq!(ended, [true, true, false]);
}

#[tokio::test]
async fn without_the_blacklist_older_tokens_stay_good() {
    let service = Service::start(rotating(false));
    let mut ada = service.welcome("ada").await;
    let first = ada.refresh.clone();
    ada.refresh().await.unwrap();
    assert_ne!(ada.refresh, first);
    ada.present(&first).await.unwrap();
    ada.refresh().await.unwrap();
    assert!(ada.recorded().iter().all(|token| !token.is_blacklisted));
    assert_eq!(ada.recorded().len(), 4, "each successor is recorded");
}

#[tokio::test]
async fn a_session_that_rotates_outlives_its_first_token() {
    let service = Service::start(rotating(true));
    let mut ada = service.welcome("ada").await;
    for _ in 0..3 {
        service.clock.advance_secs(REFRESH_LIFETIME - 1);
        ada.refresh().await.unwrap();
    }
    service.clock.advance_secs(REFRESH_LIFETIME);
    assert_eq!(refusal(ada.refresh().await), "Token is expired");
}

/// The answers to 30 callers who present the same token at once, on all cores.
async fn race(service: &Arc<Service>, token: &str) -> Vec<Result<String, String>> {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (service, token) = (Arc::clone(service), field(token));
        callers.spawn(async move {
            let refreshed = service.auth.refresh(token).await;
            refreshed.map(|pair| pair.refresh.unwrap()).map_err(|error| error.to_string())
        });
    }
    callers.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_thirty_who_rotate_one_token_at_once_exactly_one_gets_a_successor() {
    let service = Arc::new(Service::start(rotating(true)));
    let ada = service.welcome("ada").await;
    let (successors, refusals): (Vec<_>, Vec<_>) =
        race(&service, &ada.refresh).await.into_iter().partition(Result::is_ok);
    assert_eq!((successors.len(), refusals.len()), (1, 29));
    for refused in refusals {
        assert_eq!(refused.unwrap_err(), "Token is blacklisted");
    }
    assert_eq!(ada.recorded().len(), 2, "the losers' successors are not recorded");
    ada.present(successors[0].as_ref().unwrap()).await.expect("the race did not hurt the successor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_the_blacklist_each_of_thirty_gets_a_successor_of_its_own() {
    let service = Arc::new(Service::start(rotating(false)));
    let ada = service.welcome("ada").await;
    let mut successors: Vec<String> =
        race(&service, &ada.refresh).await.into_iter().map(Result::unwrap).collect();
    successors.sort();
    successors.dedup();
    assert_eq!((successors.len(), ada.recorded().len()), (30, 31));
}
