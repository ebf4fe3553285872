//! Accounts by their address on a PostgreSQL that is set up otherwise than most.

use countersign_domain::NewUser;
use countersign_store::{InsertUserError, PoolOptions, Store};

use crate::cluster::{Cluster, Database, skipped};
use crate::outages::hold;
use crate::patience::until;
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

#[tokio::test]
async fn of_two_who_ask_for_an_address_at_once_one_gets_it_whatever_a_transaction_is_by_default() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database).await;
    database.rows(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''',
                                    current_database()); END $$",
    );
    drop(store);
    let store = open(&database).await;
    let holder =
        hold(&database, "SELECT pg_advisory_xact_lock(1667594350, hashtext('eve@example.com'))").await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let letting_go = async {
        until("both wait for the lock", || database.rows(waiting) == ["2"]).await;
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let ask = |email| store.insert_user_of_address(of(email, email), "eve@example.com".to_owned());
    let (one, other, ()) = tokio::join!(ask("EVE@example.com"), ask("eve@example.com"), letting_go);
    let refused = [one, other].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(refused[..], [InsertUserError::UsernameTaken]), "{refused:?}");
}
