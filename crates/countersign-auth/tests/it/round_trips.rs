//! How often a use-case goes to PostgreSQL, as the server counts.

use std::sync::Arc;

use countersign_auth::{Error, Rules, Throttles};
use countersign_domain::PasswordHash;
use countersign_store::UserChange;

use crate::cluster::{Cluster, Extras, skipped};
use crate::registration::by_mail;
use crate::service::{PASSWORD, Service, field, origin, outdated_hash, refusal, rotating, rules};

/// How many statements were run since the last call, `BEGIN` and `COMMIT` among them.
fn statements(service: &Service) -> usize {
    texts(service).len()
}

/// The same, as texts.
fn texts(service: &Service) -> Vec<String> {
    let run = service.rows(
        "SELECT regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements, generate_series(1, calls)
          WHERE query NOT LIKE '%pg_stat_statements%' ORDER BY 1",
    );
    service.run("SELECT pg_stat_statements_reset()");
    println!("{run:#?}"); // for whoever sees this fail
    run
}

/// None where the server cannot count.
async fn counting(rules: Rules) -> Option<Service> {
    let known = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'";
    if Cluster::shared()?.database().rows(known).is_empty() {
        skipped("pg_stat_statements is not installed (apt-get install postgresql-contrib).");
        return None;
    }
    let settings = "shared_preload_libraries = 'pg_stat_statements'".to_owned();
    let cluster = Cluster::of_its_own(&Extras { settings, ..Extras::default() })?;
    let database = Arc::new(cluster.database());
    database.rows("CREATE EXTENSION pg_stat_statements");
    let [service, _] = Service::start_two_on(database, rules).await;
    Some(service)
}

#[tokio::test]
async fn a_request_reads_in_one_statement_and_writes_in_one() {
    let Some(service) = counting(rotating(true)).await else { return };
    let mut ada = service.welcome("ada").await;
    statements(&service);
    ada.log_in().await.unwrap();
    assert_eq!(statements(&service), 3, "the account, the session, and a look at what might be swept");
    assert_eq!(ada.whoami().await.unwrap(), "ada");
    assert_eq!(statements(&service), 1);
    ada.verify(&ada.access).await.unwrap();
    assert_eq!(statements(&service), 1);
    ada.verify(&ada.refresh).await.unwrap();
    assert_eq!(statements(&service), 1);
    let exchanged = ada.refresh.clone();
    ada.refresh().await.unwrap();
    assert_eq!(statements(&service), 2);
    ada.present(&exchanged).await.unwrap();
    assert_eq!(statements(&service), 2, "the successor must not have been blacklisted");
}

#[tokio::test]
async fn what_slows_guessing_down_is_one_statement_before_a_hash_and_none_for_a_good_token() {
    let hundred = Some("100/hour".parse().unwrap());
    let throttles = Throttles {
        is_on: true,
        login_account: Some("2/hour".parse().unwrap()),
        login_address: hundred,
        login_global: hundred,
        token_address: hundred,
        ..Throttles::default()
    };
    let Some(service) = counting(Rules { throttles, ..rotating(true) }).await else { return };
    let mut ada = service.welcome("ada").await;
    statements(&service);
    ada.log_in().await.unwrap();
    assert_eq!(
        statements(&service),
        5,
        "beside what it has been, what it is charged to, and its giving back"
    );
    ada.whoami().await.unwrap();
    assert_eq!(statements(&service), 1);
    ada.verify(&ada.access).await.unwrap();
    assert_eq!(statements(&service), 1);
    ada.refresh().await.unwrap();
    assert_eq!(statements(&service), 2);
    ada.verify("no token").await.unwrap_err();
    assert_eq!(
        statements(&service),
        2,
        "whether there is a new key by which it is good, and what it is charged to"
    );
    let mut eve = service.stranger("ada");
    eve.password = "a guess".to_owned();
    eve.log_in().await.unwrap_err();
    assert_eq!(statements(&service), 2);
    assert!(matches!(eve.log_in().await, Err(Error::Throttled { .. })));
    assert_eq!(statements(&service), 2);
    for _ in 0..5 {
        assert!(matches!(eve.log_in().await, Err(Error::Throttled { .. })));
    }
    assert_eq!(statements(&service), 0, "that was said a moment ago");
    service.clock.advance_secs(10);
    assert!(matches!(eve.log_in().await, Err(Error::Throttled { .. })));
    assert_eq!(statements(&service), 2, "something may have been given back elsewhere");
}

#[tokio::test]
async fn a_refresh_that_exchanges_nothing_is_one_read_and_once_a_minute_a_note_beside_it() {
    let Some(service) = counting(rules()).await else { return };
    let (mut ada, bob) = (service.welcome("ada").await, service.welcome("bob").await);
    statements(&service);
    ada.refresh().await.unwrap();
    assert_eq!(statements(&service), 1);
    let mut notes = async || {
        ada.whoami().await.unwrap();
        ada.refresh().await.unwrap();
        bob.whoami().await.unwrap();
        assert_eq!(statements(&service), 3);
        service.auth.note_last_seen().await;
        statements(&service)
    };
    service.clock.advance_secs(59);
    assert_eq!(notes().await, 0);
    service.clock.advance_secs(1);
    assert_eq!(notes().await, 1, "both go together");
    assert_eq!(notes().await, 0);
}

#[tokio::test]
async fn a_login_sweeps_in_one_statement_where_there_is_something_to_sweep() {
    let Some(service) = counting(rules()).await else { return };
    let mut ada = service.welcome("ada").await;
    service.run("UPDATE countersign_session SET expires_at = 0");
    statements(&service);
    ada.log_in().await.unwrap();
    assert_eq!(statements(&service), 4);
    assert_eq!(ada.sessions().await, 1);
}

#[tokio::test]
async fn whoever_is_refused_at_login_costs_one_statement() {
    let Some(service) = counting(rules()).await else { return };
    let hash = |text: &str| Some(PasswordHash::new(text.to_owned()));
    let mut inactive = service.welcome("inactive").await;
    let change = UserChange {
        is_active: Some(false),
        password_hash: Some(outdated_hash(PASSWORD)),
        ..UserChange::default()
    };
    inactive.change(change).await;
    let mut unusable = service.welcome("unusable").await;
    unusable.change(UserChange { password_hash: hash("!nobody"), ..UserChange::default() }).await;
    let mut imported = service.welcome("imported").await;
    imported
        .change(UserChange { password_hash: Some(outdated_hash("other")), ..UserChange::default() })
        .await;
    let mut wrong = service.welcome("wrong").await;
    wrong.password = "wrong".to_owned();
    let mut unknown = service.stranger("unknown");
    statements(&service);
    for person in [&mut inactive, &mut unusable, &mut imported, &mut wrong, &mut unknown] {
        refusal(person.log_in().await);
        assert_eq!(statements(&service), 1, "{}", person.username);
    }
}

#[tokio::test]
async fn whoever_asks_for_an_account_by_mail_costs_the_same_statements_and_none_that_looks_for_one() {
    let hundred = Some("100/hour".parse().unwrap());
    let throttles = Throttles {
        is_on: true,
        register_address: hundred,
        register_global: hundred,
        mailbox: hundred,
        ..Throttles::default()
    };
    let Some(service) = counting(Rules { throttles, ..by_mail() }).await else { return };
    service.register("template", PASSWORD).await.unwrap();
    service.auth.request_registration(field("first@example.com"), &origin()).await.unwrap(); // which finds no budgets
    let mut of_each = Vec::new();
    for address in ["template@example.com", "TEMPLATE@example.com", "nobody@example.com"] {
        statements(&service);
        service.auth.request_registration(field(address), &origin()).await.unwrap();
        let run = texts(&service);
        assert!(run.iter().all(|sql| !sql.contains("auth_user")), "{run:#?}");
        of_each.push(run);
    }
    assert!(of_each[0].iter().any(|sql| sql.contains("countersign_mail")), "{of_each:#?}");
    assert!(of_each.iter().all(|run| *run == of_each[0]), "{of_each:#?}");
}
