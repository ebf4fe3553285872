//! From login to logout, and what the clock ends.

use countersign_auth::{Error, Flushed, Rules};
use countersign_domain::FieldError;
use countersign_token::Kind;

use crate::service::{ACCESS_LIFETIME, REFRESH_LIFETIME, Service, field, origin, refusal, rotating, rules};

#[tokio::test]
async fn a_session_begins_with_a_login_and_ends_with_the_blacklisting_of_its_refresh_token() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    assert_eq!(ada.whoami().await.unwrap(), "ada");
    let (first_refresh, first_access) = (ada.refresh.clone(), ada.access.clone());
    ada.refresh().await.unwrap();
    assert_eq!(ada.refresh, first_refresh, "without rotation it stays the same");
    assert_ne!(ada.access, first_access);
    assert_eq!(ada.whoami().await.unwrap(), "ada");
    ada.verify(&ada.refresh).await.unwrap();
    ada.verify(&ada.access).await.unwrap();

    ada.blacklist().await.unwrap();
    assert_eq!(refusal(ada.refresh().await), "Token is blacklisted");
    assert_eq!(refusal(ada.blacklist().await), "Token is blacklisted");
    assert_eq!(ada.whoami().await.unwrap(), "ada", "access tokens stay good");
}

#[tokio::test]
async fn of_two_who_end_one_session_at_once_one_is_told_that_it_has_ended() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    let (one, other) = tokio::join!(ada.blacklist(), ada.blacklist());
    let (told, ended) = if one.is_err() { (one, other) } else { (other, one) };
    ended.unwrap();
    assert_eq!(refusal(told), "Token is blacklisted");
}

#[tokio::test]
async fn ending_one_session_leaves_the_others() {
    let service = Service::start(rules());
    let laptop = service.welcome("ada").await;
    let mut phone = service.stranger("ada");
    phone.log_in().await.unwrap();
    laptop.blacklist().await.unwrap();
    phone.refresh().await.unwrap();
}

#[tokio::test]
async fn tokens_expire_to_the_second_when_the_clock_gets_there() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    service.clock.advance_secs(ACCESS_LIFETIME - 1);
    ada.whoami().await.unwrap();
    ada.verify(&ada.access).await.unwrap();
    service.clock.advance_secs(1);
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Access, Expired)]");
    assert_eq!(refusal(ada.verify(&ada.access).await), "Token is expired");

    service.clock.advance_secs(REFRESH_LIFETIME - ACCESS_LIFETIME - 1);
    ada.refresh().await.unwrap();
    ada.whoami().await.unwrap();
    service.clock.advance_secs(1);
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is expired");
    assert_eq!(refusal(ada.blacklist().await), "Token is expired");
    ada.whoami().await.expect("the access token of the last second has its five minutes");
}

#[tokio::test]
async fn a_token_is_good_for_its_own_purpose_alone() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    std::mem::swap(&mut ada.refresh, &mut ada.access);
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token has wrong type");
    assert_eq!(refusal(ada.blacklist().await), "Token has wrong type");
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Access, WrongType)]");
    assert_eq!(
        refusal(service.auth.refresh_sliding(field(&ada.refresh), &origin()).await),
        "Token has wrong type"
    );
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_invalid_everywhere() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    for token in [&mut ada.refresh, &mut ada.access] {
        *token = token.replacen('.', ".e", 1);
    }
    for refused in [
        refusal(ada.present(&ada.refresh).await),
        refusal(ada.blacklist().await),
        refusal(ada.verify(&ada.refresh).await),
        refusal(service.auth.refresh_sliding(field(&ada.refresh), &origin()).await),
    ] {
        assert_eq!(refused, "Token is invalid");
    }
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Access, Invalid)]");
}

#[tokio::test]
async fn a_missing_or_blank_token_is_a_refused_field() {
    let service = Service::start(rules());
    let missing = service.auth.refresh(Err(FieldError::Required), &origin()).await;
    assert!(
        matches!(&missing, Err(Error::Fields(fields)) if *fields == [("refresh", vec![FieldError::Required])])
    );
    let blank = service.auth.verify(field("  "), &origin()).await;
    assert!(matches!(&blank, Err(Error::Fields(fields)) if *fields == [("token", vec![FieldError::Blank])]));
}

#[tokio::test]
async fn verification_looks_at_the_blacklist_only_when_rotation_fills_it() {
    for (rules, expected) in [(rules(), None), (rotating(true), Some("the token to verify is blacklisted"))] {
        let service = Service::start(rules);
        let ada = service.welcome("ada").await;
        ada.verify(&ada.refresh).await.unwrap();
        ada.blacklist().await.unwrap();
        let refused = ada.verify(&ada.refresh).await.err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_sliding_token_is_extended_until_its_window_closes() {
    let service = Service::start(Rules { auth_token_classes: vec![Kind::Access, Kind::Sliding], ..rules() });
    service.welcome("ada").await;
    let mut ada = service.stranger("ada");
    ada.log_in_sliding().await.unwrap();
    assert_eq!(ada.whoami().await.unwrap(), "ada");
    let step = ACCESS_LIFETIME - 1;
    for _ in 0..REFRESH_LIFETIME / step {
        service.clock.advance_secs(step);
        ada.access = service.auth.refresh_sliding(field(&ada.access), &origin()).await.unwrap().access;
        ada.whoami().await.unwrap();
    }
    service.clock.advance_secs(REFRESH_LIFETIME % step);
    let refused = refusal(service.auth.refresh_sliding(field(&ada.access), &origin()).await);
    assert_eq!(refused, "Token 'refresh_exp' claim has expired");
    ada.whoami().await.expect("its last five minutes are not over");
}

#[tokio::test]
async fn a_sliding_token_ends_at_once_with_all_tokens_of_its_user() {
    let service = Service::start(Rules { auth_token_classes: vec![Kind::Sliding], ..rules() });
    service.register("ada", crate::service::PASSWORD).await.unwrap();
    let mut ada = service.stranger("ada");
    ada.log_in_sliding().await.unwrap();
    assert_eq!(service.auth.log_out_everywhere("ada").await.unwrap().sessions, 1);
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Sliding, Blacklisted)]");
    assert_eq!(
        refusal(service.auth.refresh_sliding(field(&ada.access), &origin()).await),
        "Token is blacklisted"
    );
}

#[tokio::test]
async fn a_sliding_token_that_was_refreshed_ends_too_and_a_flush_does_not_bring_it_back() {
    let service = Service::start(Rules { auth_token_classes: vec![Kind::Sliding], ..rules() });
    service.register("ada", crate::service::PASSWORD).await.unwrap();
    let mut ada = service.stranger("ada");
    ada.log_in_sliding().await.unwrap();
    let mut refresh_before_it_expires = async || {
        service.clock.advance_secs(ACCESS_LIFETIME - 1);
        ada.access = service.auth.refresh_sliding(field(&ada.access), &origin()).await.unwrap().access;
    };
    refresh_before_it_expires().await;
    refresh_before_it_expires().await;
    assert_eq!(service.auth.flush_expired_tokens(drop).await.unwrap(), Flushed::default());
    assert_eq!(service.auth.log_out_everywhere("ada").await.unwrap().sessions, 1);
    service.auth.flush_expired_tokens(drop).await.unwrap();
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Sliding, Blacklisted)]");
    assert_eq!(
        refusal(service.auth.refresh_sliding(field(&ada.access), &origin()).await),
        "Token is blacklisted"
    );
}

#[tokio::test]
async fn a_sliding_token_that_was_ended_stays_ended_until_its_last_second() {
    let service = Service::start(Rules { auth_token_classes: vec![Kind::Sliding], ..rules() });
    service.register("ada", crate::service::PASSWORD).await.unwrap();
    let mut ada = service.stranger("ada");
    ada.log_in_sliding().await.unwrap();
    let step = ACCESS_LIFETIME - 1;
    for _ in 0..REFRESH_LIFETIME / step {
        service.clock.advance_secs(step);
        ada.access = service.auth.refresh_sliding(field(&ada.access), &origin()).await.unwrap().access;
    }
    service.auth.log_out_everywhere("ada").await.unwrap();
    service.clock.advance_secs(ACCESS_LIFETIME - 1);
    service.auth.flush_expired_tokens(drop).await.unwrap();
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Sliding, Blacklisted)]");
}

#[tokio::test]
async fn a_token_is_ended_though_only_the_leeway_keeps_it_good() {
    let service = Service::start_with_leeway(60);
    let ada = service.welcome("ada").await;
    service.clock.advance_secs(REFRESH_LIFETIME + 59);
    ada.present(&ada.refresh).await.expect("the leeway is not over");
    assert_eq!(service.auth.flush_expired_tokens(drop).await.unwrap(), Flushed::default());
    assert_eq!(service.auth.log_out_everywhere("ada").await.unwrap().sessions, 1);
    service.auth.flush_expired_tokens(drop).await.unwrap();
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is blacklisted");
}
