//! Groups and permissions, as Django's `get_all_permissions` finds them.

use super::place::{Place, person};

#[tokio::test]
async fn a_user_has_the_permissions_of_its_own_and_of_its_groups_each_once() {
    let Some((place, store)) = Place::open().await else { return };
    let ada = store.insert_user(person("ada")).await.unwrap();
    let bob = store.insert_user(person("bob")).await.unwrap();
    place.run(
            "INSERT INTO auth_group (id, name) VALUES (1, 'writers'), (2, 'editors'), (3, 'nobody');
             INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (1, 9), (2, 10), (2, 9), (3, 1);
             INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1), (1, 2), (2, 1);
             INSERT INTO auth_user_user_permissions (user_id, permission_id) VALUES (1, 12), (1, 9);",
        );
    assert_eq!(store.list_groups(ada).await.unwrap(), ["editors", "writers"]);
    assert_eq!(
        store.list_permissions(ada).await.unwrap(),
        ["auth.add_user", "auth.change_user", "auth.view_user"]
    );
    assert_eq!(store.list_groups(bob).await.unwrap(), ["writers"]);
    assert_eq!(store.list_permissions(bob).await.unwrap(), ["auth.add_user"]);
    let all = store.list_all_permissions().await.unwrap();
    assert_eq!((all.len(), all[0].as_str()), (24, "auth.add_group"));
}
