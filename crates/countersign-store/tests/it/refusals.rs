//! What a refusal of the server tells the log.

use countersign_store::{InsertUserError, PoolOptions, Store, StoreError};

use crate::cluster::Cluster;
use crate::place::person;

#[tokio::test]
async fn the_row_that_a_constraint_of_another_program_refuses_is_not_told() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
    database.rows("ALTER TABLE auth_user ADD CONSTRAINT no_ada CHECK (username <> 'ada')");
    let refused = store.insert_user(person("ada")).await;
    let Err(InsertUserError::Store(error @ StoreError::Statement(_))) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        error.to_string(),
        "the database refused a statement: ERROR 23514: new row for relation \"auth_user\" violates check constraint \
         \"no_ada\", table auth_user, constraint no_ada; try again, and look at the database's own log"
    );
    assert!(!format!("{error:?}").contains("unusable"), "{error:?}");
}
