//! Sessions: what their user sees of them, how they end, and who is refused from then on.

use countersign_auth::{ClaimSource, Error, Rules, TokenClaim, UserIdField};
use countersign_domain::{EndReason, Session, SessionId, User};
use countersign_store::{Ended, UserChange};
use countersign_token::Kind;
use countersign_token::json::{Value, to_compact};

use crate::service::{
    Person, Service, browser, claim, claims, field, origin, refusal, rotating, rules, sign,
};

const REFUSED_ACCESS: &str = "the bearer token was refused: [(Access, Blacklisted)]";

/// The same user on another device.
async fn another_device<'a>(service: &'a Service, username: &str) -> Person<'a> {
    let mut device = service.stranger(username);
    device.log_in().await.unwrap();
    device
}

async fn is_refused_everywhere(device: &mut Person<'_>) {
    assert_eq!(refusal(device.whoami().await), REFUSED_ACCESS);
    assert_eq!(refusal(device.verify(&device.access).await), "the token to verify is blacklisted");
    assert_eq!(refusal(device.refresh().await), "Token is blacklisted");
    assert_eq!(refusal(device.blacklist().await), "Token is blacklisted");
}

#[tokio::test]
async fn a_user_sees_where_they_are_logged_in() {
    let service = Service::start(rules());
    let laptop = service.welcome("ada").await;
    service.clock.advance_secs(10);
    let phone = another_device(&service, "ada").await;
    service.welcome("bob").await;
    let listed = service.auth.list_sessions(&laptop.row().await).await.unwrap();
    let ids: Vec<&str> = listed.iter().map(|session| session.id.as_str()).collect();
    assert_eq!(ids, [claim(&phone.refresh, "sid"), claim(&laptop.refresh, "sid")], "the newest first");
    assert_eq!(listed[0].client, browser());
    assert_eq!(laptop.caller().await.unwrap().session.as_ref(), Some(&listed[1].id));
}

#[tokio::test]
async fn logging_out_ends_this_session_at_once_and_no_other() {
    let service = Service::start(rules());
    let mut laptop = service.welcome("ada").await;
    let mut phone = another_device(&service, "ada").await;
    laptop.log_out().await.unwrap();
    is_refused_everywhere(&mut laptop).await;
    phone.refresh().await.unwrap();
    phone.whoami().await.unwrap();
    assert_eq!(service.auth.list_sessions(&phone.row().await).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_is_ended_from_another_by_its_id() {
    let service = Service::start(rules());
    let mut laptop = service.welcome("ada").await;
    let phone = another_device(&service, "ada").await;
    let bob = service.welcome("bob").await;
    let end = async |user: User, id: &str| {
        service.auth.end_session(&user, id, EndReason::LoggedOut, &origin()).await
    };
    let id = claim(&laptop.refresh, "sid");
    assert!(matches!(end(bob.row().await, &id).await, Err(Error::SessionNotFound)), "it is not Bob's");
    end(phone.row().await, &id).await.unwrap();
    is_refused_everywhere(&mut laptop).await;
    phone.whoami().await.unwrap();
    for id in [id.as_str(), "0123456789abcdef0123456789abcdef", "", "Ada"] {
        assert!(matches!(end(phone.row().await, id).await, Err(Error::SessionNotFound)), "{id}");
    }
}

#[tokio::test]
async fn logging_out_of_all_may_keep_this_one() {
    let service = Service::start(rules());
    let mut laptop = service.welcome("ada").await;
    let mut phone = another_device(&service, "ada").await;
    let mut bob = service.welcome("bob").await;
    assert_eq!(phone.log_out_all(true).await.unwrap(), Ended { sessions: 1, tokens: 0 });
    is_refused_everywhere(&mut laptop).await;
    phone.refresh().await.unwrap();
    assert_eq!(phone.log_out_all(false).await.unwrap(), Ended { sessions: 1, tokens: 0 });
    is_refused_everywhere(&mut phone).await;
    bob.refresh().await.unwrap();
}

#[tokio::test]
async fn sessions_end_with_the_password_and_with_the_account() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    service.auth.change_password("ada", "another good secret").await.unwrap();
    assert_eq!(ada.session().await.ended.unwrap().1, EndReason::PasswordChanged);
    is_refused_everywhere(&mut ada).await;

    ada.password = "another good secret".to_owned();
    ada.log_in().await.unwrap();
    service.auth.set_active("ada", false).await.unwrap();
    service.auth.set_active("ada", true).await.unwrap();
    assert_eq!(ada.session().await.ended.unwrap().1, EndReason::Deactivated);
    is_refused_everywhere(&mut ada).await;

    ada.log_in().await.unwrap();
    service.auth.delete_user("ada").await.unwrap();
    assert_eq!(refusal(ada.refresh().await), "no active account for this token");
    assert_eq!(refusal(ada.whoami().await), "the bearer token's user does not exist");
}

#[tokio::test]
async fn with_check_revoke_token_a_changed_password_is_what_the_access_token_is_told() {
    let service = Service::start(Rules { check_revoke_token: true, ..rules() });
    let ada = service.welcome("ada").await;
    ada.whoami().await.unwrap();
    service.auth.change_password("ada", "another good secret").await.unwrap();
    assert_eq!(refusal(ada.whoami().await), "the password has changed since the bearer token was issued");
}

#[tokio::test]
async fn blacklisting_as_in_simple_jwt_ends_the_session_and_leaves_its_access_token() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    ada.blacklist().await.unwrap();
    assert_eq!(ada.session().await.ended.unwrap().1, EndReason::Blacklisted);
    assert_eq!(service.auth.list_sessions(&ada.row().await).await.unwrap(), []);
    assert_eq!(refusal(ada.refresh().await), "Token is blacklisted");
    ada.whoami().await.expect("as in the original");
    ada.verify(&ada.access).await.unwrap();
}

#[tokio::test]
async fn a_sliding_token_ends_with_its_session() {
    let service = Service::start(Rules { auth_token_classes: vec![Kind::Sliding], ..rules() });
    service.welcome("ada").await;
    let mut ada = service.stranger("ada");
    ada.log_in_sliding().await.unwrap();
    assert_eq!(service.auth.list_sessions(&ada.row().await).await.unwrap().len(), 2);
    ada.log_out().await.unwrap();
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Sliding, Blacklisted)]");
    assert_eq!(
        refusal(service.auth.refresh_sliding(field(&ada.access), &origin()).await),
        "Token is blacklisted"
    );
}

#[tokio::test]
async fn last_seen_is_noted_once_a_minute() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    let seen = async |ada: &Person<'_>| {
        service.auth.note_last_seen().await;
        let session = ada.session().await;
        session.last_seen_at.duration_since(session.created_at).as_secs()
    };
    service.clock.advance_secs(59);
    ada.whoami().await.unwrap();
    assert_eq!(seen(&ada).await, 0, "it was seen within the minute");
    service.clock.advance_secs(1);
    ada.whoami().await.unwrap();
    assert_eq!(seen(&ada).await, 60);
    service.clock.advance_secs(59);
    ada.refresh().await.unwrap();
    assert_eq!(seen(&ada).await, 60);
    service.clock.advance_secs(1);
    ada.refresh().await.unwrap();
    assert_eq!(seen(&ada).await, 120);
}

/// Uses 150 sessions of Ada's, a minute after each began; then half a minute passes.
async fn use_many(service: &Service) {
    let mut devices = Vec::new();
    for _ in 0..150 {
        let mut device = service.stranger("ada");
        device.log_in().await.unwrap();
        devices.push(device);
    }
    service.clock.advance_secs(60);
    for device in &devices {
        device.whoami().await.unwrap();
    }
    service.clock.advance_secs(30);
}

/// Ada's sessions that were not seen a minute after they began.
async fn unseen(ada: &Person<'_>, service: &Service) -> Vec<SessionId> {
    let sessions = service.auth.list_sessions(&ada.row().await).await.unwrap();
    let is_seen = |session: &Session| session.last_seen_at.duration_since(session.created_at).as_secs() == 60;
    sessions.into_iter().filter(|session| !is_seen(session)).map(|session| session.id).collect()
}

#[tokio::test]
async fn all_sessions_that_were_in_use_are_noted_and_no_others_and_are_seen_at_once() {
    let service = Service::start(rules());
    let idle = service.welcome("ada").await;
    use_many(&service).await;
    assert_eq!(unseen(&idle, &service).await, [idle.session().await.id], "before it is noted");
    service.auth.note_last_seen().await;
    assert_eq!(unseen(&idle, &service).await, [idle.session().await.id]);
}

#[tokio::test]
async fn sessions_that_are_being_noted_when_a_server_ends_are_noted_then() {
    let service = Service::start(rules());
    let idle = service.welcome("ada").await;
    use_many(&service).await;
    tokio::select! {
        biased;
        () = service.auth.note_last_seen() => panic!("writes take their time"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(unseen(&idle, &service).await, [idle.session().await.id], "while they are being noted");
    service.auth.note_last_seen().await;
    assert_eq!(unseen(&idle, &service).await, [idle.session().await.id]);
}

#[tokio::test]
async fn a_token_of_a_session_that_has_no_row_is_refused() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    let other = Service::start(rules()); // with the same key, on another database
    other.register("ada", &ada.password).await.unwrap();
    let mut impostor = other.stranger("ada");
    (impostor.refresh, impostor.access) = (ada.refresh.clone(), ada.access.clone());
    is_refused_everywhere(&mut impostor).await;
    ada.refresh().await.unwrap();
}

#[tokio::test]
async fn tokens_carry_the_claims_that_a_deployment_adds_as_they_are_now() {
    let claim = |name: &str, source| TokenClaim { name: name.to_owned(), source };
    let token_claims = vec![
        claim("groups", ClaimSource::Groups),
        claim("staff", ClaimSource::IsStaff),
        claim("mail", ClaimSource::Email),
        claim("permissions", ClaimSource::Permissions),
    ];
    let service = Service::start(Rules { token_claims, ..rotating(true) });
    let mut ada = service.welcome("ada").await;
    let written = |token: &str| {
        let text = to_compact(&Value::Object(claims(token).0));
        text.split_once("\"user_id\":").unwrap().1.split_once(",\"sid\"").unwrap().0.to_owned()
    };
    let plain = r#""1","groups":[],"staff":false,"mail":"ada@example.com","permissions":[]"#;
    assert_eq!((written(&ada.refresh).as_str(), written(&ada.access).as_str()), (plain, plain));
    ada.change(UserChange {
        is_staff: Some(true),
        email: Some("a@b.example".to_owned()),
        ..UserChange::default()
    })
    .await;
    ada.refresh().await.unwrap();
    let changed = r#""1","groups":[],"staff":true,"mail":"a@b.example","permissions":[]"#;
    assert_eq!((written(&ada.refresh).as_str(), written(&ada.access).as_str()), (changed, changed));
    ada.change(UserChange { is_superuser: Some(true), ..UserChange::default() }).await;
    ada.refresh().await.unwrap();
    assert!(written(&ada.access).contains(r#""permissions":["auth.add_group","auth.add_permission","#));
}

#[tokio::test]
async fn tokens_can_name_their_user_by_the_log_in_name() {
    let service = Service::start(Rules { user_id_field: UserIdField::Username, ..rotating(true) });
    let mut ada = service.welcome("ada").await;
    assert_eq!(claim(&ada.access, "user_id"), "ada");
    ada.refresh().await.unwrap();
    assert_eq!(ada.whoami().await.unwrap(), "ada");
    service.store.delete_user(ada.row().await.id).await.unwrap();
    assert_eq!(refusal(ada.whoami().await), "the bearer token's user does not exist");
    service.register("ada", "somebody else's secret").await.unwrap();
    assert_eq!(refusal(ada.whoami().await), REFUSED_ACCESS, "her name, and not her session");
    assert_eq!(refusal(ada.refresh().await), "Token is blacklisted");
}

#[tokio::test]
async fn what_ends_a_user_ends_the_access_tokens_of_blacklisted_sessions_too() {
    let service = Service::start(rules());
    for name in ["ada", "bob", "eve", "dan"] {
        let person = service.welcome(name).await;
        person.blacklist().await.unwrap();
        person.whoami().await.unwrap();
        match name {
            "ada" => service.auth.change_password(name, "another good secret").await.unwrap(),
            "bob" => drop(service.auth.log_out_everywhere(name).await.unwrap()),
            "eve" => drop(person.log_out_all(false).await.unwrap()),
            _ => person.log_out().await.unwrap(),
        }
        assert_eq!(refusal(person.whoami().await), REFUSED_ACCESS, "{name}");
    }
}

#[tokio::test]
async fn a_thief_cannot_hide_a_session_from_its_user_by_blacklisting_it() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    let thief = another_device(&service, "ada").await;
    thief.blacklist().await.unwrap();
    ada.log_out_all(true).await.unwrap();
    assert_eq!(refusal(thief.whoami().await), REFUSED_ACCESS);
    ada.whoami().await.unwrap();
}

#[tokio::test]
async fn with_their_user_sessions_are_deleted_for_verification_and_sliding_tokens_too() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    let mut sliding = service.stranger("ada");
    sliding.log_in_sliding().await.unwrap();
    service.auth.delete_user("ada").await.unwrap();
    for token in [&ada.access, &ada.refresh, &sliding.access] {
        assert_eq!(refusal(ada.verify(token).await), "the token to verify is blacklisted");
    }
    assert_eq!(
        refusal(service.auth.refresh_sliding(field(&sliding.access), &origin()).await),
        "Token is blacklisted"
    );
}

#[tokio::test]
async fn a_token_that_names_the_session_of_another_user_opens_nothing_and_hurts_nobody() {
    let service = Service::start(rotating(true));
    let ada = service.welcome("ada").await;
    let mut bob = service.welcome("bob").await;
    let in_her_session = |token: &str| {
        let mut mixed = claims(token);
        mixed.set("sid", claim(&ada.refresh, "sid"));
        sign(&mixed)
    };
    bob.refresh = in_her_session(&bob.refresh);
    bob.access = in_her_session(&bob.access);
    is_refused_everywhere(&mut bob).await;
    assert_eq!(ada.session().await.generation, 0);
    ada.whoami().await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_that_was_exchanged_does_not_call_a_protected_endpoint() {
    let service = Service::start(Rules { auth_token_classes: vec![Kind::Refresh], ..rotating(true) });
    let mut ada = service.welcome("ada").await;
    ada.access = ada.refresh.clone();
    ada.whoami().await.unwrap();
    ada.present(&ada.refresh).await.unwrap();
    assert_eq!(refusal(ada.whoami().await), "the bearer token was refused: [(Refresh, Blacklisted)]");
}

#[tokio::test]
async fn a_refresh_token_whose_session_was_blacklisted_does_not_call_a_protected_endpoint_either() {
    let service =
        Service::start(Rules { auth_token_classes: vec![Kind::Refresh, Kind::Access], ..rotating(false) });
    let mut ada = service.welcome("ada").await;
    let (first, access) = (ada.refresh.clone(), ada.access.clone());
    ada.refresh().await.unwrap();
    ada.blacklist().await.unwrap();
    // The session is over but for its access tokens.
    ada.access = access;
    ada.whoami().await.unwrap();
    for refresh in [first, ada.refresh.clone()] {
        ada.access = refresh;
        assert!(refusal(ada.whoami().await).contains("(Refresh, Blacklisted)"));
    }
}

#[tokio::test]
async fn a_sliding_token_gets_the_added_claims_anew_when_it_is_refreshed() {
    let token_claims = vec![TokenClaim { name: "staff".to_owned(), source: ClaimSource::IsStaff }];
    let service = Service::start(Rules { token_claims, ..rules() });
    service.welcome("ada").await;
    let mut ada = service.stranger("ada");
    ada.change(UserChange { is_staff: Some(true), ..UserChange::default() }).await;
    ada.log_in_sliding().await.unwrap();
    assert_eq!(claims(&ada.access).get("staff"), Some(&Value::Bool(true)));
    ada.change(UserChange { is_staff: Some(false), ..UserChange::default() }).await;
    let refreshed = service.auth.refresh_sliding(field(&ada.access), &origin()).await.unwrap().access;
    assert_eq!(claims(&refreshed).get("staff"), Some(&Value::Bool(false)));
}
