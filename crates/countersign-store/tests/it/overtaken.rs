//! An attempt on PostgreSQL that another overtakes between its look and its charge.

use countersign_domain::Budget;
use countersign_store::{Charge, Charged, PoolOptions, Store};
use jiff::Timestamp;

use crate::cluster::{Cluster, Database};
use crate::outages::until_one_waits;
use crate::place::{after_noon, noon};

/// A budget of one in a minute, and a large one that is asked for with it.
fn charges() -> Vec<Charge> {
    let charge = |id, rate: &str| Charge { id, budget: Budget::of(rate.parse().unwrap()) };
    vec![charge(5, "1/min"), charge(7, "1000/day")]
}

/// What a charge comes to that has begun while somebody else has done this and not yet committed it.
async fn overtaken_by(database: &Database, store: &Store, sql: &str, now: Timestamp) -> Charged {
    let (other, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(connection);
    other.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
    let committing = async {
        until_one_waits(database).await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    tokio::join!(store.charge(charges(), now), committing).0.unwrap()
}

fn whole(database: &Database, id: i64, now: Timestamp) -> bool {
    let spent =
        format!("SELECT 1 FROM countersign_attempt WHERE id = {id} AND whole_at > {}", now.as_microsecond());
    database.rows(&spent).is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_overtaken_by_the_first_attempt_of_all_is_refused_and_counted_nowhere() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
    let used_up = after_noon(60).as_microsecond();
    let first =
        format!("INSERT INTO countersign_attempt (id, whole_at, free_at) VALUES (5, {used_up}, {used_up})");
    let charged = overtaken_by(&database, &store, &first, noon()).await;
    assert_eq!(charged, Charged::Refused { id: 5, free_at: after_noon(60) });
    assert!(!whole(&database, 5, noon()) && whole(&database, 7, noon()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_overtaken_by_a_later_attempt_is_refused_and_writes_nothing() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
    assert_eq!(store.charge(charges(), noon()).await.unwrap(), Charged::Admitted);
    let everything = "SELECT id, whole_at, free_at FROM countersign_attempt WHERE id <> 5";
    let before = database.rows(everything);
    let used_up = after_noon(120).as_microsecond();
    let later =
        format!("UPDATE countersign_attempt SET whole_at = {used_up}, free_at = {used_up} WHERE id = 5");
    let charged = overtaken_by(&database, &store, &later, after_noon(60)).await;
    assert_eq!(charged, Charged::Refused { id: 5, free_at: after_noon(120) });
    assert_eq!(database.rows(everything), before);
}
