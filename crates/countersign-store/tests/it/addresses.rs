//! Accounts by their address on a PostgreSQL that is set up otherwise than most.

use countersign_domain::NewUser;
use countersign_store::{PoolOptions, Store};

use crate::cluster::{Cluster, Database, skipped};
use crate::place::person;

async fn open(database: &Database) -> Store {
    Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap()
}

fn of(name: &str, email: &str) -> NewUser {
    NewUser { email: email.to_owned(), ..person(name) }
}

#[tokio::test]
async fn an_address_is_found_where_the_language_has_a_lower_case_of_its_own() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    if database.rows("SELECT 1 FROM pg_collation WHERE collname = 'tr-x-icu'").is_empty() {
        return skipped("this PostgreSQL knows no language of ICU's.");
    }
    let store = open(&database).await;
    database.rows("ALTER TABLE auth_user ALTER email TYPE varchar(254) COLLATE \"tr-x-icu\"");
    assert_eq!(database.rows("SELECT lower('I' COLLATE \"tr-x-icu\")"), ["ı"]);
    store.insert_user(of("bob", "INFO@example.com")).await.unwrap();
    assert!(store.address_exists("info@example.com").await.unwrap());
}
