//! Accounts: how they are made, and that their end or a new password ends the sessions.

use countersign_auth::{Error, NewAccount, Rules, UserError};
use countersign_domain::{FieldError, PasswordPolicy, PasswordValidator};
use countersign_password::Preferred;
use countersign_store::{Ended, UserChange};

use crate::service::{PASSWORD, Service, begin_waiting, field, origin, outdated_hash, refusal, rules};

fn strict() -> Service {
    let policy = PasswordPolicy::new(vec![PasswordValidator::MinimumLength { min_length: 8 }]);
    let cheap = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
    Service::start_hashing(rules(), cheap, policy)
}

fn account(username: &str, is_superuser: bool) -> NewAccount {
    NewAccount { username: username.to_owned(), email: String::new(), is_superuser }
}

#[tokio::test]
async fn who_registers_is_an_ordinary_active_user_who_can_log_in() {
    let service = Service::start(rules());
    let user = service.register("ada", PASSWORD).await.unwrap();
    let row = service.auth.get_user("ada").await.unwrap();
    assert_eq!(user, row);
    assert_eq!((row.is_active, row.is_staff, row.is_superuser), (true, false, false));
    assert_eq!((row.email.as_str(), row.last_login), ("ada@example.com", None));
    assert_eq!(row.date_joined.to_string(), "2026-01-01T12:00:00Z");
    assert!(!row.password_hash.as_str().contains(PASSWORD));
    service.stranger("ada").log_in().await.unwrap();
}

#[tokio::test]
async fn an_email_may_be_missing() {
    let service = Service::start(rules());
    let user = service
        .auth
        .register(field("ada"), Err(FieldError::Required), field(PASSWORD), &origin())
        .await
        .unwrap();
    assert_eq!(user.email, "");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_form_is_said_at_once_and_nothing_is_hashed() {
    let service = strict();
    service.register("ada", PASSWORD).await.unwrap();
    let before = service.auth.hashing_work();
    let refused =
        service.auth.register(field("ada"), field("nowhere"), Err(FieldError::Null), &origin()).await;
    let Err(Error::Fields(fields)) = refused else { panic!("{refused:?}") };
    assert_eq!(
        fields,
        [
            ("username", vec![FieldError::UsernameTaken]),
            ("email", vec![FieldError::InvalidEmail]),
            ("password", vec![FieldError::Null])
        ]
    );
    let refused = service.register("bob", "short").await;
    let Err(Error::Fields(fields)) = refused else { panic!("{refused:?}") };
    assert_eq!(fields, [("password", vec![FieldError::TooShort { min: 8 }])]);
    assert_eq!(service.auth.hashing_work(), before);
    assert_eq!(service.auth.list_users(None, 10).await.unwrap().len(), 1);
}

#[test]
fn of_two_who_register_one_name_at_once_the_later_is_told_that_it_is_taken() {
    let service = Service::start(rules());
    let [one, other] = [(), ()].map(|()| begin_waiting(service.register("ada", PASSWORD)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut answers = runtime.block_on(async { [one.await, other.await] });
    answers.sort_by_key(Result::is_err);
    let [Ok(_), Err(Error::Fields(fields))] = &answers else { panic!("{answers:?}") };
    assert_eq!(*fields, [("username", vec![FieldError::UsernameTaken])]);
}

#[tokio::test]
async fn an_operator_makes_accounts_under_the_same_rules() {
    let service = strict();
    let root = service.auth.create_user(account("root", true), PASSWORD).await.unwrap();
    let ada = service.auth.create_user(account("ada", false), PASSWORD).await.unwrap();
    assert_eq!(
        [root.is_staff, root.is_superuser, ada.is_staff, ada.is_superuser],
        [true, true, false, false]
    );
    service.stranger("root").log_in().await.unwrap();
    for (username, password, field, reason) in [
        ("ada", PASSWORD, "username", FieldError::UsernameTaken),
        ("a b", PASSWORD, "username", FieldError::InvalidUsername),
        ("bob", "short", "password", FieldError::TooShort { min: 8 }),
    ] {
        let refused = service.auth.create_user(account(username, false), password).await;
        let Err(UserError::Refused { field: name, errors }) = refused else { panic!("{refused:?}") };
        assert_eq!((name, errors), (field, vec![reason]));
    }
    assert_eq!(service.auth.list_users(None, 10).await.unwrap(), [root.clone(), ada]);
    assert_eq!(service.auth.list_users(Some(root.id), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_done_to_a_user_who_does_not_exist() {
    let service = Service::start(rules());
    for refused in [
        refusal(service.auth.get_user("nobody").await),
        refusal(service.auth.change_password("nobody", PASSWORD).await),
        refusal(service.auth.set_active("nobody", true).await),
        refusal(service.auth.log_out_everywhere("nobody").await),
        refusal(service.auth.delete_user("nobody").await),
    ] {
        assert_eq!(refused, "no user is called \"nobody\"; `countersign user list` shows those there are");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    let mut bob = service.welcome("bob").await;
    service.auth.change_password("ada", "another good password").await.unwrap();
    assert_eq!(refusal(ada.refresh().await), "Token is blacklisted");
    assert_eq!(refusal(ada.log_in().await), "no active account with these credentials");
    ada.password = "another good password".to_owned();
    ada.log_in().await.unwrap();
    ada.refresh().await.unwrap();
    bob.refresh().await.expect("it was not his password");
}

#[tokio::test]
async fn a_password_that_is_refused_changes_nothing() {
    let service = strict();
    let mut ada = service.welcome("ada").await;
    assert_eq!(refusal(service.auth.change_password("ada", "short").await), "the password was refused");
    ada.refresh().await.unwrap();
    ada.log_in().await.unwrap();
}

#[tokio::test]
async fn deactivation_ends_the_sessions_and_activation_does_not_bring_them_back() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    service.auth.set_active("ada", false).await.unwrap();
    assert_eq!(refusal(ada.refresh().await), "Token is blacklisted");
    assert_eq!(refusal(ada.whoami().await), "the bearer token's user is inactive");
    assert_eq!(refusal(ada.log_in().await), "no active account with these credentials");
    service.auth.set_active("ada", true).await.unwrap();
    assert_eq!(refusal(ada.refresh().await), "Token is blacklisted");
    ada.log_in().await.unwrap();
    ada.refresh().await.unwrap();
}

#[tokio::test]
async fn whoever_is_deactivated_or_deleted_by_another_program_is_refused_too() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    ada.change(UserChange { is_active: Some(false), ..UserChange::default() }).await;
    assert_eq!(refusal(ada.refresh().await), "no active account for this token");
    assert_eq!(refusal(ada.whoami().await), "the bearer token's user is inactive");
    service.store.delete_user(ada.row().await.id).await.unwrap();
    assert_eq!(refusal(ada.refresh().await), "no active account for this token");
    assert_eq!(refusal(ada.whoami().await), "the bearer token's user does not exist");
    ada.blacklist().await.expect("her token can still be ended");
}

#[tokio::test]
async fn whether_a_user_is_active_can_be_left_unchecked() {
    let service = Service::start(Rules { check_user_is_active: false, ..rules() });
    let mut ada = service.welcome("ada").await;
    ada.change(UserChange { is_active: Some(false), ..UserChange::default() }).await;
    ada.refresh().await.unwrap();
    ada.whoami().await.unwrap();
}

#[tokio::test]
async fn deletion_ends_the_sessions_and_the_name_is_free_again() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    service.auth.delete_user("ada").await.unwrap();
    assert_eq!(refusal(ada.refresh().await), "no active account for this token");
    assert_eq!(refusal(ada.whoami().await), "the bearer token's user does not exist");
    let impostor = service.welcome("ada").await;
    assert_eq!(refusal(ada.whoami().await), "the bearer token's user does not exist", "her name, not her id");
    assert_eq!(impostor.whoami().await.unwrap(), "ada");
}

#[tokio::test]
async fn logging_out_everywhere_ends_and_counts_the_sessions_of_one_user() {
    let service = Service::start(rules());
    let mut laptop = service.welcome("ada").await;
    let mut phone = service.stranger("ada");
    phone.log_in().await.unwrap();
    let mut bob = service.welcome("bob").await;
    let log_out = async || service.auth.log_out_everywhere("ada").await.unwrap();
    assert_eq!(log_out().await, Ended { sessions: 2, tokens: 0 });
    assert_eq!(log_out().await, Ended { sessions: 0, tokens: 0 });
    for device in [&mut laptop, &mut phone] {
        let refused = "the bearer token was refused: [(Access, Blacklisted)]";
        assert_eq!(refusal(device.whoami().await), refused);
        assert_eq!(refusal(device.refresh().await), "Token is blacklisted");
    }
    bob.refresh().await.unwrap();
}

#[tokio::test]
async fn a_password_from_django_logs_in() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    ada.store_hash(outdated_hash("from django")).await;
    ada.password = "from django".to_owned();
    ada.log_in().await.unwrap();
}
