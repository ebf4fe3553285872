//! The audit log: what use-cases leave behind, and what is found out of a request that is refused.

use countersign_auth::{AuditRules, Auth, NewAccount, Rules};
use countersign_domain::{EndReason, RefusedRequest};
use countersign_store::StoredEvent;
use countersign_token::Algorithm;
use jiff::SignedDuration;

use crate::patience::until;
use crate::service::{PASSWORD, Service, field, origin, refusal, rotating, rules};

/// All events, once what waits is recorded and linked; the chain is whole.
async fn events(service: &Service) -> Vec<StoredEvent> {
    service.auth.record_audit().await.unwrap();
    assert_eq!(service.store.verify_events(None).await.unwrap().breaks, []);
    assert_eq!(service.store.waiting_events(1).await.unwrap(), []);
    service.store.events_after(0, 10_000).await.unwrap()
}

/// Kind, actor and details of those after the first `past`.
async fn told(service: &Service, past: usize) -> Vec<(String, String, String)> {
    let events = events(service).await.into_iter().skip(past);
    events.map(|event| (event.kind, event.actor, event.details)).collect()
}

fn line(kind: &str, actor: &str, details: String) -> (String, String, String) {
    (kind.to_owned(), actor.to_owned(), details)
}

/// A service on either engine; on PostgreSQL if there is one.
async fn services(rules: &Rules) -> Vec<Service> {
    let on_postgres = Service::start_two_on_postgres(rules.clone()).await;
    let on_postgres = on_postgres.map(|[service, _]| service);
    std::iter::once(Service::start(rules.clone())).chain(on_postgres).collect()
}

#[tokio::test]
async fn a_life_in_events() {
    for service in services(&rules()).await {
        let next = || service.clock.advance_secs(1);
        let mut ada = service.welcome("ada").await;
        next();
        let first = ada.session().await.id;
        ada.log_out().await.unwrap();
        next();
        ada.log_in().await.unwrap();
        next();
        let second = ada.session().await.id;
        ada.blacklist().await.unwrap();
        next();
        ada.log_in().await.unwrap();
        let third = ada.session().await.id;
        next();
        service.auth.change_password("ada", "another horse battery").await.unwrap();
        next();
        service.auth.set_active("ada", false).await.unwrap();
        next();
        service.auth.set_active("ada", true).await.unwrap();
        next();
        service.auth.log_out_everywhere("ada").await.unwrap();
        next();
        let all = events(&service).await;
        let user = ada.row().await.id.to_string();
        assert!(all.iter().all(|event| event.user.as_ref() == Some(&user)), "{all:#?}");
        let asked = all.iter().filter(|event| event.actor == "user");
        assert!(asked.clone().all(|event| event.request_id.as_deref() == Some("a-request")));
        assert!(asked.clone().all(|event| event.personal.as_ref().unwrap().contains("192.0.2.7")));
        assert!(all.iter().all(|event| event.personal.as_ref().unwrap().contains(r#""name":"ada""#)));
        service.auth.delete_user("ada").await.unwrap();
        let of = |session| format!("{{\"session\":\"{session}\"}}");
        let because = |why: &str, session| format!("{{\"because\":\"{why}\",\"session\":\"{session}\"}}");
        let expected = [
            line("user_created", "user", "{}".to_owned()),
            line("login", "user", of(&first)),
            line("session_ended", "user", because("logged_out", &first)),
            line("login", "user", of(&second)),
            line("session_ended", "user", because("blacklisted", &second)),
            line("login", "user", of(&third)),
            line("password_changed", "operator", format!("{{\"ended\":\"1\",\"sessions\":\"{third}\"}}")),
            line("user_changed", "operator", r#"{"is_active":"false","ended":"0"}"#.to_owned()),
            line("user_changed", "operator", r#"{"is_active":"true"}"#.to_owned()),
            line("session_ended", "operator", r#"{"because":"operator","ended":"0"}"#.to_owned()),
            line("user_deleted", "operator", "{}".to_owned()),
        ];
        let mut told = told(&service, 0).await;
        told[..2].sort_by(|one, other| other.cmp(one)); // on PostgreSQL, what is of one moment has no order
        assert_eq!(told, expected);
        assert!(events(&service).await.iter().all(|event| event.personal.is_none()), "gone with the user");
    }
}

#[tokio::test]
async fn an_operators_superuser_and_the_others_of_a_user_are_told() {
    let service = Service::start(rules());
    let grace = NewAccount { username: "grace".to_owned(), email: String::new(), is_superuser: true };
    let grace = service.auth.create_user(grace, PASSWORD).await.unwrap();
    let mut phone = service.stranger("grace");
    phone.log_in().await.unwrap();
    let of_phone = phone.session().await.id;
    let mut laptop = service.stranger("grace");
    laptop.log_in().await.unwrap();
    laptop.log_out_all(true).await.unwrap();
    let of_laptop = laptop.session().await.id;
    service.auth.end_session(&grace, of_laptop.as_str(), EndReason::LoggedOut, &origin()).await.unwrap();
    let told = told(&service, 0).await;
    assert_eq!(told[0], line("user_created", "operator", r#"{"is_superuser":"true"}"#.to_owned()));
    let others = format!("{{\"because\":\"logged_out\",\"ended\":\"1\",\"sessions\":\"{of_phone}\"}}");
    assert_eq!(told[3], line("session_ended", "user", others));
    let own = format!("{{\"because\":\"logged_out\",\"session\":\"{of_laptop}\"}}");
    assert_eq!(told[4], line("session_ended", "user", own));
}

#[tokio::test]
async fn refreshing_is_no_event_and_reuse_is_with_its_generations() {
    for service in services(&Rules { refresh_grace: SignedDuration::ZERO, ..rotating(true) }).await {
        let mut ada = service.welcome("ada").await;
        let exchanged = ada.refresh.clone();
        for _ in 0..3 {
            ada.refresh().await.unwrap();
        }
        ada.whoami().await.unwrap();
        assert_eq!(events(&service).await.len(), 2, "the account and the login");
        let thief = origin();
        let session = ada.session().await.id;
        assert_eq!(refusal(service.auth.refresh(field(&exchanged), &thief).await), "Token is blacklisted");
        let details = format!(
            "{{\"because\":\"refresh_token_reused\",\"presented_generation\":\"0\",\"current_generation\":\"3\",\
             \"session\":\"{session}\"}}"
        );
        assert_eq!(told(&service, 2).await, [line("refresh_reuse_detected", "client", details)]);
        let found = thief.evidence();
        assert_eq!((found.presented_generation, found.current_generation), (Some(0), Some(3)));
        assert_eq!((found.session, found.user), (Some(session), Some(ada.row().await.id)));
        assert_eq!(found.key.as_deref(), Some("configured"));
        let again = origin();
        assert!(service.auth.refresh(field(&exchanged), &again).await.is_err());
        assert_eq!(again.evidence().current_generation, Some(3));
        assert_eq!(told(&service, 3).await, [], "it has ended already");
    }
}

#[tokio::test]
async fn a_refused_login_says_by_which_rule_and_never_the_name_that_was_typed() {
    for service in services(&rules()).await {
        let ada = service.welcome("ada").await;
        service.auth.set_active("ada", false).await.unwrap();
        let past = events(&service).await.len();
        for (name, password, rule, user) in [
            ("my password, in the wrong field", PASSWORD, "unknown_user", None),
            ("ada", "a wrong one", "wrong_password", Some(ada.row().await.id)),
            ("ada", PASSWORD, "inactive", Some(ada.row().await.id)),
        ] {
            let client = origin();
            assert!(service.auth.log_in(field(name), field(password), &client, &[]).await.is_err());
            assert_eq!((client.evidence().rule, client.evidence().user), (Some(rule), user));
            service.clock.advance_secs(1);
        }
        let failed = |rule| line("login_failed", "client", format!("{{\"rule\":\"{rule}\"}}"));
        let expected = [failed("unknown_user"), failed("wrong_password"), failed("inactive")];
        assert_eq!(told(&service, past).await, expected);
        let failures = events(&service).await.split_off(past);
        assert_eq!(failures[0].user, None);
        assert_eq!(failures[1].user, Some(ada.row().await.id.to_string()));
        assert!(failures.iter().all(|event| event.request_id.as_deref() == Some("a-request")));
        assert!(!format!("{failures:?}").contains("my password"));
    }
}

#[tokio::test]
async fn however_many_logins_fail_few_are_noted_and_the_rest_is_counted() {
    let service = Service::start(rules());
    for _ in 0..200 {
        assert!(service.auth.log_in(field("nobody"), field("a wrong one"), &origin(), &[]).await.is_err());
    }
    let mut told = told(&service, 0).await;
    assert_eq!(
        told.pop().unwrap(),
        line("login_failures_omitted", "server", r#"{"failures":"140"}"#.to_owned())
    );
    assert_eq!(told.len(), 60);
    service.clock.advance_secs(60);
    assert!(service.auth.log_in(field("nobody"), field("a wrong one"), &origin(), &[]).await.is_err());
    assert_eq!(events(&service).await.len(), 62, "another minute");
}

#[tokio::test]
async fn failures_that_could_not_be_written_are_counted_when_they_can_be() {
    let Some([service, _]) = Service::start_two_on_postgres(rules()).await else { return };
    let guess = async || service.auth.log_in(field("nobody"), field("a wrong one"), &origin(), &[]).await;
    for _ in 0..70 {
        assert!(guess().await.is_err());
    }
    service.run("ALTER TABLE countersign_event RENAME TO gone");
    for _ in 0..2 {
        assert!(service.auth.record_audit().await.is_err());
    }
    service.run("ALTER TABLE gone RENAME TO countersign_event");
    let omitted =
        |count: u32| line("login_failures_omitted", "server", format!("{{\"failures\":\"{count}\"}}"));
    assert_eq!(told(&service, 0).await, [omitted(70)], "the sixty that were to be noted one by one, too");
    assert_eq!(told(&service, 1).await, [], "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_a_user_who_is_held_wait_for_that_to_end_and_not_for_long_and_others_do_not() {
    let Some([service, _]) = Service::start_two_on_postgres(rules()).await else { return };
    let [ada, _bob] = [service.welcome("ada").await, service.welcome("bob").await];
    let id = ada.row().await.id;
    let guess =
        async |name: &str| service.auth.log_in(field(name), field("a wrong one"), &origin(), &[]).await;
    // With what is personal, of how many.
    let noted = async |expected: &str| {
        let sql =
            "SELECT count(personal) || ' of ' || count(*) FROM countersign_event WHERE kind = 'login_failed'";
        until(expected, || service.rows(sql) == [expected]).await;
    };
    let held = format!("SELECT 1 FROM auth_user WHERE id = {id} FOR UPDATE");
    let acting = async {
        let holding = service.hold(&held).await;
        for name in ["ada", "bob"] {
            assert!(guess(name).await.is_err());
        }
        noted("1 of 1").await;
        service.clock.advance_secs(10);
        noted("1 of 2").await;
        assert!(guess("ada").await.is_err());
        holding.batch_execute("ROLLBACK").await.unwrap();
        noted("2 of 3").await;
    };
    let keeping = service.auth.keep_audit(std::future::pending());
    tokio::select! { () = acting => {}, ended = keeping => panic!("nobody told it to: {ended:?}") }
    let _holding = service.hold(&held).await;
    assert!(guess("ada").await.is_err());
    service.auth.record_audit().await.expect("a server that ends does not wait");
    noted("2 of 4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_recorded_when_a_server_ends_is_recorded() {
    let Some([service, _]) = Service::start_two_on_postgres(rules()).await else { return };
    service.welcome("bob").await;
    let holding = service.hold("LOCK TABLE countersign_event").await;
    assert!(service.auth.log_in(field("bob"), field("a wrong one"), &origin(), &[]).await.is_err());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let mut keeping = std::pin::pin!(service.auth.keep_audit(async {
        let _ = ended.await;
    }));
    let waiting = "SELECT 1 FROM pg_locks JOIN pg_database AS d ON d.oid = database
                    WHERE NOT granted AND datname = current_database()";
    tokio::select! {
        ended = &mut keeping => panic!("there is a lock: {ended:?}"),
        () = until("it waits for the table", || !service.rows(waiting).is_empty()) => {}
    }
    drop(end);
    holding.batch_execute("ROLLBACK").await.unwrap();
    keeping.await.unwrap();
    assert_eq!(
        service.rows("SELECT kind FROM countersign_event WHERE kind = 'login_failed'"),
        ["login_failed"]
    );
}

#[tokio::test]
async fn a_user_who_ends_what_has_ended_fills_no_log_with_it() {
    for service in services(&rules()).await {
        let ada = service.welcome("ada").await;
        let past = events(&service).await.len();
        for _ in 0..3 {
            assert_eq!(ada.log_out_all(true).await.unwrap().sessions, 0, "there is only this one");
        }
        assert_eq!(told(&service, past).await, []);
        let caller = ada.caller().await.unwrap();
        for _ in 0..3 {
            service.auth.log_out(&caller, &origin()).await.unwrap();
            service.auth.log_out_all(&caller, false, &origin()).await.unwrap();
        }
        let kinds: Vec<_> = told(&service, past).await.into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(kinds, ["session_ended"], "that of the one that there was");
    }
}

#[tokio::test]
async fn two_servers_on_one_database_write_one_chain() {
    let Some([first, second]) = Service::start_two_on_postgres(rules()).await else { return };
    first.register("ada", PASSWORD).await.unwrap();
    let (one, other) = (&first.auth, &second.auth);
    let log_in = async |auth: &Auth| {
        for number in 0..20 {
            auth.log_in(field("ada"), field(PASSWORD), &origin(), &[]).await.unwrap();
            if number % 3 == 0 {
                auth.record_audit().await.unwrap();
            }
        }
    };
    tokio::join!(log_in(one), log_in(other), log_in(one), log_in(other));
    assert_eq!(events(&first).await.len(), 81);
}

#[tokio::test]
async fn the_keys_of_a_token_that_is_refused_are_told_and_what_is_done_to_them_is_noted() {
    let service = Service::start(rules());
    let ring = service.auth.key_ring();
    let key = ring.generate(Algorithm::EdDSA, false).await.unwrap();
    ring.rotate(true).await.unwrap();
    ring.retire("configured", true).await.unwrap();
    service.auth.reload_keys().await.unwrap();
    let of = |kid: &str| format!("{{\"key\":\"{kid}\"}}");
    let expected = [
        line("key_made", "operator", of(&key.kid)),
        line("key_rotated", "operator", of(&key.kid)),
        line("key_retired", "operator", of("configured")),
    ];
    assert_eq!(told(&service, 0).await, expected);
    let ada = service.welcome("ada").await;
    service.clock.advance_secs(3600);
    let client = origin();
    assert!(service.auth.authenticate(&ada.access, &client).await.is_err());
    assert_eq!(client.evidence().key, Some(key.kid));
    let client = origin();
    assert!(service.auth.authenticate("not a token", &client).await.is_err());
    assert_eq!(client.evidence().key, None);
}

#[tokio::test]
async fn refusals_are_told_of_by_name_and_no_more_than_a_hundred_at_once() {
    let few = AuditRules { max_refusals: 3, ..AuditRules::default() };
    let none = AuditRules { max_refusals: 0, ..AuditRules::default() };
    let why = || vec![("code".to_owned(), "token_not_valid".to_owned())];
    let service = Service::start(rules());
    for number in 0..1000 {
        service.auth.note_refusal(&number.to_string(), why);
    }
    service.auth.record_audit().await.unwrap();
    let of = async |service: &Service, name: &str| service.store.refusals_of(name).await.unwrap();
    let refused =
        |at, request_id: &str| RefusedRequest { at, request_id: request_id.to_owned(), details: why() };
    let now = "2026-01-01T12:00:00Z".parse().unwrap();
    assert_eq!(of(&service, "99").await, [refused(now, "99")]);
    assert_eq!(of(&service, "100").await, []);
    let service = Service::start(Rules { audit: few, ..rules() });
    for number in 0..5 {
        service.auth.note_refusal(&number.to_string(), why);
        service.clock.advance_secs(1);
    }
    service.auth.record_audit().await.unwrap();
    assert_eq!((of(&service, "1").await.len(), of(&service, "2").await.len()), (0, 1));
    let service = Service::start(Rules { audit: none, ..rules() });
    service.auth.note_refusal("one", why);
    service.auth.record_audit().await.unwrap();
    assert_eq!(of(&service, "one").await, []);
}

#[tokio::test]
async fn events_are_kept_as_long_as_the_rules_say() {
    let audit = AuditRules { retention: SignedDuration::from_hours(1), ..AuditRules::default() };
    let service = Service::start(Rules { audit, ..rules() });
    let mut ada = service.welcome("ada").await;
    service.clock.advance_secs(3601);
    ada.log_in().await.unwrap();
    assert_eq!(service.auth.delete_old_events().await.unwrap(), 2);
    assert_eq!(events(&service).await.len(), 1);
    ada.log_in().await.unwrap();
    service.clock.advance_secs(3600);
    ada.log_in().await.unwrap();
    service.clock.advance_secs(24 * 3600);
    assert_eq!(service.auth.delete_old_events().await.unwrap(), 2, "those of an hour at a time");
    assert_eq!(events(&service).await.len(), 1);
    let audit = AuditRules { max_events: 2, ..AuditRules::default() };
    let beside = service.beside(Rules { audit, ..rules() });
    ada.log_in().await.unwrap();
    ada.log_in().await.unwrap();
    assert_eq!(beside.auth.delete_old_events().await.unwrap(), 1);
    assert_eq!(events(&service).await.len(), 2);
}
