//! Whom we log in as, and what that role may do.

use countersign_store::{PoolOptions, Prospect};

use super::place::Place;

#[tokio::test]
async fn a_role_that_may_make_no_tables_is_noticed_by_looking() {
    let Some((place, _store)) = Place::open().await else { return };
    let of = async |url: &str| {
        let prospect = Prospect::open(&url.parse().unwrap(), &PoolOptions::default()).unwrap();
        prospect.look().await.unwrap()
    };
    let owner = place.address();
    assert!(of(&owner).await.may_create);
    let name = format!("looker_{}", std::process::id());
    place.run(&format!(
        "CREATE ROLE {name} LOGIN PASSWORD 'looker';
         REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"
    ));
    let (_, server) = owner.split_once('@').unwrap();
    let findings = of(&format!("postgresql://{name}:looker@{server}")).await;
    place.run(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
    assert!(!findings.may_create);
    assert_eq!(findings.differences, [], "it sees the tables all the same");
}
