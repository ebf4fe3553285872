//! Logging in: who is let in, what a refusal gives away, and what a login leaves behind.

use countersign_auth::Rules;
use countersign_domain::PasswordHash;
use countersign_store::UserChange;

use crate::service::{ONE_HASH, PASSWORD, Service, begin_waiting, outdated_hash, refusal, rules};

#[tokio::test]
async fn whoever_is_refused_gets_the_same_answer_for_the_same_work() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    let mut inactive = service.welcome("inactive").await;
    inactive.change(UserChange { is_active: Some(false), ..UserChange::default() }).await;
    let mut unusable = service.welcome("unusable").await;
    unusable.store_hash(PasswordHash::new("!nobody logs in with this".to_owned())).await;
    let mut foreign = service.welcome("foreign").await;
    foreign.store_hash(PasswordHash::new("crypt$of$another framework".to_owned())).await;
    let mut empty = service.welcome("empty").await;
    empty.store_hash(PasswordHash::new(String::new())).await;
    let mut unknown = service.stranger("unknown");
    ada.password = "wrong".to_owned();
    for person in [&mut ada, &mut inactive, &mut unusable, &mut foreign, &mut empty, &mut unknown] {
        let before = service.auth.hashing_work();
        assert_eq!(refusal(person.log_in().await), "no active account with these credentials");
        assert_eq!(service.auth.hashing_work() - before, ONE_HASH, "{}", person.username);
    }
}

#[tokio::test]
async fn where_hashes_are_of_several_kinds_whoever_is_refused_costs_one_of_each() {
    let service = Service::start(rules());
    let mut imported = service.welcome("imported").await;
    imported.store_hash(outdated_hash(PASSWORD)).await;
    let mut inactive = service.welcome("inactive").await;
    let change = UserChange {
        is_active: Some(false),
        password_hash: Some(outdated_hash(PASSWORD)),
        ..UserChange::default()
    };
    inactive.change(change).await;
    let mut ada = service.welcome("ada").await;
    let mut unknown = service.stranger("unknown");
    (ada.password, imported.password) = ("wrong".to_owned(), "wrong".to_owned());
    service.auth.look_at_hashes().await.unwrap();
    for person in [&mut ada, &mut imported, &mut inactive, &mut unknown] {
        let before = service.auth.hashing_work();
        refusal(person.log_in().await);
        assert_eq!(service.auth.hashing_work() - before, ONE_HASH + 1, "{}", person.username);
    }
    assert_eq!(inactive.row().await.password_hash, outdated_hash(PASSWORD), "an upgrade would tell");
    let beside = service.beside(rules());
    let before = beside.auth.hashing_work();
    refusal(unknown.at(&beside).log_in().await);
    assert_eq!(beside.auth.hashing_work() - before, ONE_HASH + 1, "it has looked when it started");
}

#[tokio::test]
async fn a_login_begins_one_session_and_a_refused_one_none() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    assert_eq!(ada.sessions().await, 1);
    ada.password = "wrong".to_owned();
    refusal(ada.log_in().await);
    assert_eq!(ada.sessions().await, 1);
    assert_eq!(service.store.count_tokens().await.unwrap(), 0);
}

#[tokio::test]
async fn an_outdated_hash_is_upgraded_by_the_login_that_proves_the_password() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    let old = outdated_hash(PASSWORD);
    ada.store_hash(old.clone()).await;
    ada.password = "wrong".to_owned();
    refusal(ada.log_in().await);
    assert_eq!(ada.row().await.password_hash, old, "a wrong password proves nothing");
    ada.password = PASSWORD.to_owned();
    ada.log_in().await.unwrap();
    let new = ada.row().await.password_hash;
    assert!(new.as_str().starts_with("argon2$argon2id$v=19$m=64,t=1,p=1$"));
    ada.log_in().await.unwrap();
    assert_eq!(ada.row().await.password_hash, new, "once is enough");
}

#[test]
fn an_upgrade_does_not_undo_a_change_of_password_that_came_between() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let service = Service::start(rules());
    let ada = runtime.block_on(service.welcome("ada"));
    runtime.block_on(ada.store_hash(outdated_hash(PASSWORD)));
    let mut late = service.stranger("ada");
    let login = begin_waiting(late.log_in());
    let chosen_meanwhile = outdated_hash("another password");
    runtime.block_on(ada.store_hash(chosen_meanwhile.clone()));
    refusal(runtime.block_on(login));
    assert_eq!(runtime.block_on(ada.row()).password_hash, chosen_meanwhile);
    assert_eq!(
        runtime.block_on(ada.sessions()),
        1,
        "only the first login's: who changed the password ended what was there"
    );
}

#[tokio::test]
async fn logins_that_find_the_same_outdated_hash_at_once_all_succeed_and_upgrade_it_once() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    ada.store_hash(outdated_hash(PASSWORD)).await;
    let (mut phone, mut laptop, mut tablet) =
        (service.stranger("ada"), service.stranger("ada"), service.stranger("ada"));
    let (phone, laptop, tablet) = tokio::join!(phone.log_in(), laptop.log_in(), tablet.log_in());
    assert!(phone.is_ok() && laptop.is_ok() && tablet.is_ok());
    assert!(ada.row().await.password_hash.as_str().starts_with("argon2$argon2id$v=19$m=64,t=1,p=1$"));
}

#[tokio::test]
async fn the_time_of_the_login_is_noted_if_that_is_wanted() {
    for wanted in [true, false] {
        let service = Service::start(Rules { update_last_login: wanted, ..rules() });
        service.register("ada", PASSWORD).await.unwrap();
        service.clock.advance_secs(60);
        let mut ada = service.stranger("ada");
        ada.log_in().await.unwrap();
        let expected = wanted.then(|| "2026-01-01T12:01:00Z".to_owned());
        assert_eq!(ada.row().await.last_login.map(|time| time.to_string()), expected);
    }
}

#[tokio::test]
async fn tokens_can_be_tied_to_the_password_they_were_issued_under() {
    let service = Service::start(Rules { check_revoke_token: true, ..rules() });
    let mut ada = service.welcome("ada").await;
    ada.whoami().await.unwrap();
    ada.store_hash(outdated_hash(PASSWORD)).await;
    assert_eq!(refusal(ada.whoami().await), "the password has changed since the bearer token was issued");
    ada.log_in().await.unwrap();
    ada.whoami().await.expect("the login upgraded the hash, and its token goes with the new one");
    ada.refresh().await.unwrap();
    ada.whoami().await.unwrap();
}

#[test]
fn a_right_password_is_right_though_its_hash_is_replaced_while_it_is_checked() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let service = Service::start(rules());
    let ada = runtime.block_on(service.welcome("ada"));
    let mut late = service.stranger("ada");
    let login = begin_waiting(late.log_in());
    runtime.block_on(ada.store_hash(outdated_hash(PASSWORD)));
    runtime.block_on(login).expect("the password is the same");
    assert_eq!(runtime.block_on(ada.sessions()), 2);
}
