//! What a caller must have to pass.

use countersign_auth::{Access, Caller, Error, Rules};
use countersign_store::{Source, UserChange};

use crate::service::{Service, rules};

fn staff() -> Access {
    Access { staff: true, ..Access::default() }
}

fn superuser() -> Access {
    Access { superuser: true, ..Access::default() }
}

fn permission() -> Access {
    Access { permissions: vec!["auth.view_user".to_owned()], ..Access::default() }
}

#[tokio::test]
async fn who_wants_nothing_lets_every_caller_pass() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    let caller = ada.caller().await.unwrap();
    assert_eq!(service.auth.pass(&caller, &Access::default()).await.unwrap(), [""; 0]);
    for wanted in [staff(), superuser(), permission()] {
        let refused = service.auth.pass(&caller, &wanted).await;
        assert!(matches!(refused, Err(Error::PermissionDenied)), "{wanted:?}: {refused:?}");
    }
}

#[tokio::test]
async fn an_inactive_superuser_who_is_let_in_has_nothing_that_could_be_wanted() {
    let service = Service::start(Rules { check_user_is_active: false, ..rules() });
    let ada = service.welcome("ada").await;
    let all = UserChange { is_staff: Some(true), is_superuser: Some(true), ..UserChange::default() };
    ada.change(all).await;
    let caller = ada.caller().await.unwrap();
    for wanted in [staff(), superuser(), permission()] {
        service.auth.pass(&caller, &wanted).await.unwrap();
    }
    ada.change(UserChange { is_active: Some(false), ..UserChange::default() }).await;
    let caller = ada.caller().await.unwrap();
    for wanted in [staff(), superuser(), permission()] {
        let refused = service.auth.pass(&caller, &wanted).await;
        assert!(matches!(refused, Err(Error::PermissionDenied)), "{wanted:?}: {refused:?}");
    }
    service.auth.pass(&caller, &Access::default()).await.unwrap();
}

/// Ada is in `editors`, who may add users, and may herself look at them.
const ADA: &str = r#"[
    {"model": "auth.group", "fields": {"name": "editors", "permissions": [["add_user", "auth", "user"]]}},
    {"model": "auth.user", "pk": 1, "fields": {
        "username": "ada", "password": "!", "email": "", "first_name": "", "last_name": "", "last_login": null,
        "is_active": true, "is_staff": false, "is_superuser": false, "date_joined": "2026-01-01T00:00:00Z",
        "groups": [["editors"]], "user_permissions": [["view_user", "auth", "user"]]}}
]"#;

#[tokio::test]
async fn one_of_the_groups_is_enough_and_each_of_the_permissions_is_needed() {
    let service = Service::start(rules());
    let source = Source::from_fixture("a fixture", ADA.as_bytes()).unwrap();
    source.copy_into(Some(&service.store), "2026-01-01T12:00:00Z".parse().unwrap(), |_| {}).await.unwrap();
    let user = service.store.find_user_by_username("ada").await.unwrap().unwrap();
    let caller = Caller { user, session: None };
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let (view, add, delete) = ("auth.view_user", "auth.add_user", "auth.delete_user");
    for (groups, permissions, passes) in [
        (&["editors"][..], &[][..], true),
        (&["writers", "editors"], &[], true),
        (&["writers"], &[], false),
        (&[], &[view], true),
        (&[], &[add], true),
        (&[], &[view, add], true),
        (&[], &[view, delete], false),
        (&[], &[delete], false),
        (&["writers", "editors"], &[add, view], true),
        (&["writers"], &[view], false),
        (&["editors"], &[delete], false),
    ] {
        let wanted =
            Access { one_of_groups: owned(groups), permissions: owned(permissions), ..Access::default() };
        match service.auth.pass(&caller, &wanted).await {
            Ok(groups) if passes => assert_eq!(groups, ["editors"]),
            Err(Error::PermissionDenied) if !passes => {}
            other => panic!("{wanted:?}: {other:?}"),
        }
    }
}
