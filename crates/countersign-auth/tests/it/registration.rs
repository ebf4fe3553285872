//! Registration by mail: who asks is told nothing, and who reads the mail makes the account.

use std::sync::Arc;

use countersign_auth::{ConfirmPage, Error, Message, Origin, PrivateRegistration, Rules, Throttles};
use countersign_domain::{Client, FieldError, MailKind, NewUser, PasswordPolicy, PasswordValidator, User};
use countersign_password::Preferred;
use countersign_store::Mail;
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::service::{PASSWORD, Service, field, origin, refusal, rules};

const ADA: &str = "ada@example.com";
const DAY: i64 = 24 * 3600;

/// Accounts are made by mail.
pub fn by_mail() -> Rules {
    let page = ConfirmPage::parse("https://app.example.com/welcome#token={token}").unwrap();
    let link_lifetime = SignedDuration::from_secs(DAY);
    Rules { private_registration: Some(PrivateRegistration { page, link_lifetime }), ..rules() }
}

fn with_throttles(throttles: &Throttles) -> Rules {
    Rules { throttles: Throttles { is_on: true, ..throttles.clone() }, ..by_mail() }
}

/// A service on each engine.
async fn on_each_engine(rules: Rules) -> Vec<Service> {
    let postgres = Service::start_two_on_postgres(rules.clone()).await.map(|[one, _]| one);
    std::iter::once(Service::start(rules)).chain(postgres).collect()
}

async fn ask(service: &Service, address: &str) -> Result<(), Error> {
    service.auth.request_registration(field(address), &origin()).await
}

/// The mail that is to be sent now.
async fn taken(service: &Service) -> Option<Mail> {
    let lease = SignedDuration::from_mins(1);
    service.store.claim_mail(&MailKind::ALL, jiff::Timestamp::MAX, lease).await.unwrap()
}

/// What is written to an address for which somebody asks.
async fn message(service: &Service, address: &str) -> Option<Message> {
    ask(service, address).await.unwrap();
    let mail = taken(service).await.expect("it waits");
    let message = service.auth.compose(&mail).await.unwrap();
    service.store.delete_mail(&mail).await.unwrap();
    message
}

fn token_in(message: &Message) -> Option<String> {
    let (_, rest) = message.body.split_once("https://app.example.com/welcome#token=")?;
    rest.lines().next().map(str::to_owned)
}

/// The token of the link that is sent to an address.
async fn link(service: &Service, address: &str) -> String {
    token_in(&message(service, address).await.expect("it is written to")).expect("there is a link")
}

async fn confirm(service: &Service, token: &str, password: &str) -> Result<User, Error> {
    service.auth.confirm_registration(field(token), field(password), &origin()).await
}

fn is_invalid_link(outcome: &Result<User, Error>) -> bool {
    let refused = vec![("token", vec![FieldError::InvalidLink])];
    matches!(outcome, Err(Error::Fields(fields)) if *fields == refused)
}

async fn insert(service: &Service, name: &str, email: &str) {
    let of_another = service.register("template", PASSWORD).await.unwrap();
    let user = NewUser {
        username: name.to_owned(),
        email: email.to_owned(),
        password_hash: of_another.password_hash,
        is_active: true,
        is_staff: false,
        is_superuser: false,
        first_name: String::new(),
        last_name: String::new(),
        last_login: None,
        date_joined: of_another.date_joined,
    };
    service.store.insert_user(user).await.unwrap();
}

#[tokio::test]
async fn who_reads_the_mail_chooses_a_password_and_can_log_in_with_the_address() {
    for service in on_each_engine(by_mail()).await {
        let token = link(&service, ADA).await;
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{token}");
        let user = confirm(&service, &token, PASSWORD).await.unwrap();
        assert_eq!((user.username.as_str(), user.email.as_str()), (ADA, ADA));
        assert_eq!((user.is_active, user.is_staff, user.is_superuser), (true, false, false));
        assert_eq!(service.auth.get_user(ADA).await.unwrap(), user);
        service.stranger(ADA).log_in().await.unwrap();
    }
}

#[tokio::test]
async fn who_asks_for_anothers_address_does_not_choose_how_its_owner_has_to_write_it() {
    for service in on_each_engine(by_mail()).await {
        let message = message(&service, "aDA@Example.com").await.expect("it is written to");
        assert!(message.body.contains("Log in with ada@example.com then"), "{}", message.body);
        let token = token_in(&message).expect("there is a link");
        let user = confirm(&service, &token, PASSWORD).await.unwrap();
        assert_eq!((user.username.as_str(), user.email.as_str()), (ADA, ADA));
    }
}

#[tokio::test]
async fn nothing_is_made_and_nothing_is_hashed_until_the_link_is_followed() {
    let service = Service::start(by_mail());
    let before = service.auth.hashing_work();
    ask(&service, ADA).await.unwrap();
    assert_eq!(service.auth.list_users(None, 10).await.unwrap(), []);
    assert_eq!(service.auth.hashing_work(), before);
}

#[tokio::test]
async fn whoever_has_the_address_or_its_name_in_whatever_case_is_told_so_without_link_or_name() {
    for (name, email) in [("lovelace", ADA), ("lovelace", "ADA@example.com"), (ADA, "")] {
        for service in on_each_engine(by_mail()).await {
            insert(&service, name, email).await;
            let message = message(&service, ADA).await.expect("it is written to");
            assert_eq!(token_in(&message), None);
            assert!(message.body.contains("There is one with it already"), "{}", message.body);
            assert!(!message.body.contains("http"), "{}", message.body);
            assert!(!message.body.contains("lovelace"), "{}", message.body);
        }
    }
}

#[tokio::test]
async fn both_messages_have_one_subject_which_nothing_of_the_request_reaches() {
    let service = Service::start(by_mail());
    insert(&service, "somebody", ADA).await;
    let (known, unknown) =
        (message(&service, ADA).await.unwrap(), message(&service, "bob@example.com").await.unwrap());
    assert_eq!(known.subject, "Your account at app.example.com");
    assert_eq!(known.subject, unknown.subject);
    assert!(!format!("{unknown:?}").contains("token"), "links are not printed");
}

#[tokio::test]
async fn a_link_that_is_used_or_forged_or_has_expired_is_refused_with_one_sentence() {
    for service in on_each_engine(by_mail()).await {
        let (of_ada, of_bob) = (link(&service, ADA).await, link(&service, "bob@example.com").await);
        confirm(&service, &of_ada, PASSWORD).await.unwrap();
        assert!(is_invalid_link(&confirm(&service, &of_ada, PASSWORD).await), "it was used");
        let parts: Vec<&str> = of_bob.split('.').collect();
        let [address, expires, proof] = parts[..] else { panic!("{of_bob}") };
        let of_root = "726f6f74406578616d706c652e636f6d"; // root@example.com
        let later = (expires.parse::<i64>().unwrap() + DAY).to_string();
        for forged in [
            format!("{of_root}.{expires}.{proof}"),
            format!("{address}.{later}.{proof}"),
            format!("{address}.{expires}.{}", "0".repeat(64)),
            format!("{address}.{expires}.{proof}.{proof}"),
            format!("{address}.{expires}"),
            format!("{address}.{expires}."),
            format!("ff.{expires}.{proof}"),
            "\u{e4}..".to_owned(),
            ".".to_owned(),
            service.auth.csrf_token(&countersign_domain::SessionId::parse(&"0".repeat(32)).unwrap()),
        ] {
            assert!(is_invalid_link(&confirm(&service, &forged, PASSWORD).await), "{forged}");
        }
        service.clock.advance_secs(DAY - 1);
        assert!(
            confirm(&service, &of_bob, "")
                .await
                .is_err_and(|error| !refusal::<(), _>(Err(error)).contains("Link"))
        );
        service.clock.advance_secs(1);
        assert!(is_invalid_link(&confirm(&service, &of_bob, PASSWORD).await), "it has expired");
        assert_eq!(service.auth.list_users(None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_password_that_is_refused_leaves_the_link_good() {
    let policy = PasswordPolicy::new(vec![
        PasswordValidator::MinimumLength { min_length: 8 },
        PasswordValidator::UserAttributeSimilarity {
            max_similarity: 0.7,
            attributes: vec![countersign_domain::Attribute::Email],
        },
    ]);
    let cheap = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
    let service = Service::start_hashing(by_mail(), cheap, policy);
    let token = link(&service, ADA).await;
    for bad in ["short", "ada@example.co"] {
        let Err(Error::Fields(fields)) = confirm(&service, &token, bad).await else { panic!("{bad}") };
        assert!(matches!(fields.as_slice(), [("password", _)]), "{fields:?}");
    }
    let missing =
        service.auth.confirm_registration(Err(FieldError::Required), Err(FieldError::Null), &origin()).await;
    let Err(Error::Fields(fields)) = missing else { panic!("{missing:?}") };
    assert_eq!(fields, [("token", vec![FieldError::Required]), ("password", vec![FieldError::Null])]);
    confirm(&service, &token, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn of_links_to_one_mailbox_that_are_followed_at_once_one_makes_the_account() {
    for service in on_each_engine(by_mail()).await {
        let service = Arc::new(service);
        let links = [link(&service, ADA).await, link(&service, "ADA@example.com").await];
        let mut following = JoinSet::new();
        for number in 0..6 {
            let (service, token) = (Arc::clone(&service), links[number % 2].clone());
            following.spawn(async move { confirm(&service, &token, &format!("{PASSWORD} {number}")).await });
        }
        let outcomes = following.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| is_invalid_link(outcome)).count(), 5, "{outcomes:?}");
        assert_eq!(service.auth.list_users(None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_address_that_could_not_be_a_name_is_refused_whoever_has_it() {
    let service = Service::start(by_mail());
    insert(&service, "somebody", "o'ada@example.com").await;
    let long_local = format!("{}@example.com", "a".repeat(65));
    let long_label = format!("ada@{}.example.com", "\u{e4}".repeat(60)); // in the form that mail servers are looked up by
    for (address, error) in [
        ("", FieldError::Blank),
        ("nowhere", FieldError::InvalidEmail),
        (long_local.as_str(), FieldError::InvalidEmail),
        (long_label.as_str(), FieldError::InvalidEmail),
        ("o'ada@example.com", FieldError::AddressIsNoUsername),
        ("o'bob@example.com", FieldError::AddressIsNoUsername),
        ("\"ada\"@example.com", FieldError::AddressIsNoUsername),
        ("u\u{17f}er@example.com", FieldError::AddressIsNoUsername),
        ("ada@\u{ff45}xample.com", FieldError::AddressIsNoUsername),
    ] {
        let refused = ask(&service, address).await;
        let Err(Error::Fields(fields)) = refused else { panic!("{address}: {refused:?}") };
        assert_eq!(fields, [("email", vec![error])], "{address}");
    }
    let long = format!("ada@{}.{}.{}.com", "a".repeat(60), "b".repeat(60), "c".repeat(30));
    let refused = ask(&service, &long).await;
    assert!(
        matches!(refused, Err(Error::Fields(fields)) if fields == [("email", vec![FieldError::TooLong { max: 150 }])])
    );
    assert!(taken(&service).await.is_none(), "nothing waits");
}

#[tokio::test]
async fn one_mailbox_gets_no_more_than_its_budget_however_it_is_spelt_and_whoever_asks() {
    let throttles = Throttles { mailbox: Some("5/day".parse().unwrap()), ..Throttles::default() };
    for service in on_each_engine(with_throttles(&throttles)).await {
        assert!(message(&service, "ada.l@example.com").await.is_some());
        assert!(message(&service, "ADA.L@example.com").await.is_some());
        for spelling in
            ["ada.l@example.com", "adal@example.com", "a.d.a.l@example.com", "ada.l+2@Example.COM"]
        {
            assert!(message(&service, spelling).await.is_none(), "{spelling}");
        }
        assert!(message(&service, "bob@example.com").await.is_some(), "another mailbox has its own");
        let mut in_two_days = 2;
        for _ in 0..2 * 24 * 4 {
            service.clock.advance_secs(15 * 60);
            in_two_days += usize::from(message(&service, "ada.l@example.com").await.is_some());
        }
        assert!((6..=10).contains(&in_two_days), "{in_two_days} in two days");
    }
}

#[tokio::test]
async fn who_has_an_account_is_written_to_as_often_as_who_has_none() {
    let throttles = Throttles { mailbox: Some("5/day".parse().unwrap()), ..Throttles::default() };
    let service = Service::start(with_throttles(&throttles));
    insert(&service, "somebody", ADA).await;
    let mut written = Vec::new();
    for address in [ADA, "bob@example.com"] {
        let mut got = Vec::new();
        for _ in 0..4 {
            got.push(message(&service, address).await.is_some());
        }
        written.push(got);
    }
    assert_eq!(written, [[true, true, false, false], [true, true, false, false]]);
}

#[tokio::test]
async fn what_a_mail_server_puts_off_is_counted_once() {
    let throttles = Throttles { mailbox: Some("1/day".parse().unwrap()), ..Throttles::default() };
    let service = Service::start(with_throttles(&throttles));
    ask(&service, ADA).await.unwrap();
    let first = taken(&service).await.unwrap();
    assert!(service.auth.compose(&first).await.unwrap().is_some());
    service.store.postpone_mail(&first, "2026-01-01T12:00:00Z".parse().unwrap()).await.unwrap();
    let again = taken(&service).await.unwrap();
    assert!(service.auth.compose(&again).await.unwrap().is_some(), "a second attempt is no second message");
    service.store.delete_mail(&again).await.unwrap();
    assert!(message(&service, ADA).await.is_none());
}

#[tokio::test]
async fn bad_links_are_slowed_down_as_bad_tokens_are_and_good_ones_pass() {
    let throttles = Throttles { token_address: Some("4/min".parse().unwrap()), ..Throttles::default() };
    let service = Service::start(with_throttles(&throttles));
    let good = link(&service, ADA).await;
    let at = |address: &str| Origin::new(Client::new(Some(address.to_owned()), "a browser"), "a-request");
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let origin = at("192.0.2.7");
        let guessed = service.auth.confirm_registration(field("00.1.00"), field(PASSWORD), &origin).await;
        outcomes.push(matches!(guessed, Err(Error::Throttled { .. })));
    }
    assert!(!outcomes[0] && outcomes[3], "{outcomes:?}");
    confirm(&service, &good, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn registrations_by_mail_have_the_budgets_of_registrations() {
    let throttles = Throttles { register_address: Some("2/hour".parse().unwrap()), ..Throttles::default() };
    let service = Service::start(with_throttles(&throttles));
    ask(&service, ADA).await.unwrap();
    assert!(matches!(ask(&service, "bob@example.com").await, Err(Error::Throttled { .. })));
    assert!(matches!(ask(&service, ADA).await, Err(Error::Throttled { .. })), "also for who waits for mail");
}

#[tokio::test]
async fn a_link_by_a_former_secret_key_is_good_and_one_by_another_is_not() {
    let service = Service::start(by_mail());
    let token = link(&service, ADA).await;
    let stranger = service.beside_with_key(by_mail(), b"another secret of the tests", &[]);
    assert!(is_invalid_link(&confirm(&stranger, &token, PASSWORD).await));
    let heir =
        service.beside_with_key(by_mail(), b"another secret of the tests", &[crate::service::SECRET_KEY]);
    confirm(&heir, &token, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn the_operator_is_told_why_a_link_was_refused() {
    let service = Service::start(by_mail());
    let token = link(&service, ADA).await;
    let rule = async |token: &str| {
        let origin = origin();
        service.auth.confirm_registration(field(token), field(PASSWORD), &origin).await.unwrap_err();
        origin.evidence().rule
    };
    assert_eq!(rule("a.b.c").await, Some("link_malformed_or_forged"));
    service.clock.advance_secs(DAY);
    assert_eq!(rule(&token).await, Some("link_expired"));
    let token = link(&service, ADA).await;
    confirm(&service, &token, PASSWORD).await.unwrap();
    assert_eq!(rule(&token).await, Some("link_used"));
}
