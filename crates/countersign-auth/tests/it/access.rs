//! What a caller must have to pass.

use countersign_auth::{Access, Error, Rules};
use countersign_store::UserChange;

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
