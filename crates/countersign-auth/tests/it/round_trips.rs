//! How often a use-case goes to PostgreSQL, as the server counts.

use std::sync::Arc;

use countersign_auth::Rules;

use crate::cluster::{Cluster, Extras, skipped};
use crate::service::{Service, rotating, rules};

/// The statements since the last call, `BEGIN` and `COMMIT` among them, each as often as it was run.
fn statements(service: &Service) -> Vec<String> {
    let run = service.rows(
        "SELECT regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements, generate_series(1, calls)
          WHERE query NOT LIKE '%pg_stat_statements%'",
    );
    service.run("SELECT pg_stat_statements_reset()");
    run
}

async fn count<T>(service: &Service, work: impl Future<Output = T>) -> (usize, T) {
    statements(service);
    let result = work.await;
    let run = statements(service);
    for statement in &run {
        println!("{statement}"); // for whoever sees this fail
    }
    (run.len(), result)
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
    // The account, the session, and a look at what might be swept.
    assert_eq!(count(&service, ada.log_in()).await.0, 3);
    let (statements, name) = count(&service, ada.whoami()).await;
    assert_eq!((statements, name.unwrap().as_str()), (1, "ada"));
    assert_eq!(count(&service, ada.verify(&ada.access)).await.0, 1);
    assert_eq!(count(&service, ada.verify(&ada.refresh)).await.0, 1);
    let exchanged = ada.refresh.clone();
    let (statements, refreshed) = count(&service, ada.refresh()).await;
    assert_eq!((statements, refreshed.is_ok()), (2, true));
    // The successor must not have been blacklisted.
    let (statements, repeated) = count(&service, ada.present(&exchanged)).await;
    assert_eq!((statements, repeated.is_ok()), (2, true));
}

#[tokio::test]
async fn a_refresh_that_exchanges_nothing_is_one_read_and_once_a_minute_a_note() {
    let Some(service) = counting(rules()).await else { return };
    let mut ada = service.welcome("ada").await;
    let (statements, refreshed) = count(&service, ada.refresh()).await;
    assert_eq!((statements, refreshed.is_ok()), (1, true));
    service.clock.advance_secs(60);
    assert_eq!(count(&service, ada.whoami()).await.0, 2);
    assert_eq!(count(&service, ada.whoami()).await.0, 1);
}

#[tokio::test]
async fn a_login_sweeps_in_one_statement_where_there_is_something_to_sweep() {
    let Some(service) = counting(rules()).await else { return };
    let mut ada = service.welcome("ada").await;
    service.run("UPDATE countersign_session SET expires_at = 0");
    assert_eq!(count(&service, ada.log_in()).await.0, 4);
    assert_eq!(ada.sessions().await, 1);
}
