//! What an outage of PostgreSQL may do: errors while it lasts, and nothing after it.

use std::time::{Duration, Instant};

use countersign_domain::{Actor, Client, Email, Event, EventKind, MailKind, RawText, SessionId, UserId};
use countersign_store::{DatabaseUrl, Mail, Named, NamedUser, NewSession, PoolOptions, Store, StoreError};
use jiff::SignedDuration;
use tokio::net::TcpListener;

use crate::cluster::{Cluster, Database, Extras};
use crate::patience::until;
use crate::place::{after_noon, noon, person, token};

const OF_THE_STORE: &str = "pid <> pg_backend_pid() AND datname = current_database()";

/// Bounds that a test need not wait for long, and that a slow machine keeps where nothing is in its way.
fn hasty() -> PoolOptions {
    PoolOptions {
        size: 3,
        connect_timeout: Duration::from_secs(2),
        answer_timeout: Duration::from_secs(3),
        ..PoolOptions::default()
    }
}

/// Bounds that a slow machine keeps too.
fn few() -> PoolOptions {
    PoolOptions { size: 3, ..PoolOptions::default() }
}

/// Its tables are made before, in their own time.
async fn open(database: &Database, options: &PoolOptions) -> Store {
    let url = database.url().parse().unwrap();
    drop(Store::open(&url, &few()).await.unwrap());
    Store::open(&url, options).await.unwrap()
}

fn kill_all(database: &Database) {
    database
        .rows(&format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {OF_THE_STORE}"));
}

/// Whether a statement of the store's waits for a lock.
fn one_waits(database: &Database) -> bool {
    let held_up = format!("SELECT 1 FROM pg_stat_activity WHERE {OF_THE_STORE} AND wait_event_type = 'Lock'");
    !database.rows(&held_up).is_empty()
}

/// Comes back when a statement of the store's waits for a lock.
pub async fn until_one_waits(database: &Database) {
    until("a statement of the store's waits for the lock", || one_waits(database)).await;
}

/// Another program's transaction that has done this, until it is dropped.
pub async fn hold(database: &Database, sql: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(connection);
    client.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
    client
}

/// Another program's transaction that keeps everybody from changing users, until it is dropped.
async fn lock_users(database: &Database) -> tokio_postgres::Client {
    hold(database, "LOCK TABLE auth_user IN EXCLUSIVE MODE").await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_killed_between_requests_are_replaced_without_a_word() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &few()).await;
    for round in 0..5 {
        let names = ["ada", "bob", "eve"].map(|name| format!("{name}{round}"));
        let [ada, bob, eve] = names.each_ref().map(|name| store.insert_user(person(name)));
        let (ada, bob, eve) = tokio::join!(ada, bob, eve);
        assert!(ada.is_ok() && bob.is_ok() && eve.is_ok());
        kill_all(&database);
        if round % 2 == 0 {
            assert!(store.username_exists(&names[0]).await.unwrap());
        } else {
            store.insert_user(person(&format!("joe{round}"))).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_another_program_alters_is_read_on_without_a_word() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &few()).await;
    let ada = store.insert_user(person("ada")).await.unwrap();
    let held = || Named { user: Some(NamedUser::Id(ada)), ..Named::default() };
    for column in ["first_name", "last_name", "username"] {
        // Each connection has prepared them by then.
        for _ in 0..5 {
            let (one, other) = tokio::join!(store.find_user(ada), store.find_held(held()));
            assert!(one.unwrap().is_some() && other.unwrap().user.is_some());
        }
        database.rows(&format!("ALTER TABLE auth_user ALTER COLUMN {column} TYPE varchar(200)"));
        for _ in 0..5 {
            let (one, other) = tokio::join!(store.find_user(ada), store.find_held(held()));
            assert!(one.unwrap().is_some() && other.unwrap().user.is_some(), "{column}");
        }
        store.insert_user(person(column)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_make_no_tables_can_use_those_that_are_there() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    drop(open(&database, &few()).await);
    let role = format!("clerk_{}", std::process::id());
    database.rows(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
         REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    ));
    let url = database.url().replace("//countersign@", &format!("//{role}@"));
    let store = Store::open(&url.parse().unwrap(), &few()).await.unwrap();
    store.insert_user(person("ada")).await.unwrap();
    drop(store);
    database.rows(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_killed_during_a_write_is_an_error_and_nothing_is_half_written() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &few()).await;
    let ada = store.insert_user(person("ada")).await.unwrap();
    store.record_token(token("one", Some(ada))).await.unwrap();
    let lock = lock_users(&database).await;
    let writing = {
        let store = store.clone();
        async move { store.delete_user(ada).await }
    };
    let killing = async {
        until_one_waits(&database).await;
        let held_up = format!("{OF_THE_STORE} AND wait_event_type = 'Lock'");
        database
            .rows(&format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {held_up}"));
    };
    let (deleted, ()) = tokio::join!(writing, killing);
    assert!(matches!(deleted, Err(StoreError::Disconnected(_))), "{deleted:?}");
    drop(lock);
    assert!(store.find_user(ada).await.unwrap().is_some());
    assert_eq!(database.rows("SELECT jti FROM token_blacklist_outstandingtoken"), ["one"]);
    store.delete_user(ada).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_caller_goes_away_is_rolled_back() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &PoolOptions { size: 1, ..PoolOptions::default() }).await;
    let ada = store.insert_user(person("ada")).await.unwrap();
    store.record_token(token("one", Some(ada))).await.unwrap();
    let lock = lock_users(&database).await;
    let hung_up = until_one_waits(&database);
    tokio::select! {
        deleted = store.delete_user(ada) => panic!("there is a lock: {deleted:?}"),
        () = hung_up => {}
    }
    drop(lock);
    store.insert_user(person("bob")).await.unwrap();
    assert_eq!(database.rows("SELECT username FROM auth_user ORDER BY id"), ["ada", "bob"]);
    assert_eq!(database.rows("SELECT jti FROM token_blacklist_outstandingtoken"), ["one"]);
    // That of the lock goes away in its own time.
    let states = format!("SELECT state FROM pg_stat_activity WHERE {OF_THE_STORE}");
    until("one connection is left, in no transaction", || database.rows(&states) == ["idle"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_stopped_on_the_server_as_well() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &hasty()).await;
    let ada = store.insert_user(person("ada")).await.unwrap();
    let lock = lock_users(&database).await;
    let deleted = store.delete_user(ada).await;
    assert!(matches!(deleted, Err(StoreError::TooSlow)), "{deleted:?}");
    until("the server has stopped the statement", || !one_waits(&database)).await;
    drop(lock);
    assert!(store.find_user(ada).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_connection_free_is_told_so_in_time() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let options = PoolOptions { size: 1, answer_timeout: Duration::from_secs(60), ..hasty() };
    let store = open(&database, &options).await;
    let ada = store.insert_user(person("ada")).await.unwrap();
    let lock = lock_users(&database).await;
    let starving = async {
        until_one_waits(&database).await;
        let read = store.find_user(ada).await;
        assert!(matches!(read, Err(StoreError::TooSlow)), "{read:?}");
        drop(lock);
    };
    let (deleted, ()) = tokio::join!(store.delete_user(ada), starving);
    deleted.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_is_an_error_and_one_that_starts_again_is_used() {
    let Some(cluster) = Cluster::of_its_own(&Extras::default()) else { return };
    let database = cluster.database();
    let store = open(&database, &few()).await;
    let ada = store.insert_user(person("ada")).await.unwrap();
    for _ in 0..2 {
        cluster.stop();
        let began = Instant::now();
        let read = store.find_user(ada).await;
        let written = store.insert_user(person("bob")).await;
        assert!(matches!(read, Err(StoreError::Disconnected(_))), "{read:?}");
        let reason = written.unwrap_err().to_string();
        assert!(reason.starts_with("the connection to the database broke"), "{reason}");
        assert!(began.elapsed() < Duration::from_secs(5), "a server that is not there says so at once");
        let opened = Store::open(&database.url().parse().unwrap(), &few()).await;
        assert!(matches!(opened.err(), Some(StoreError::Unreachable { .. })));
        cluster.start_again();
        assert!(store.find_user(ada).await.unwrap().is_some());
        store.record_token(token(&format!("{began:?}"), Some(ada))).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgresql://ada:a-secret@{}/accounts", listener.local_addr().unwrap());
    let opened = Store::open(&url.parse::<DatabaseUrl>().unwrap(), &hasty()).await;
    let Err(error @ StoreError::Unreachable { .. }) = opened else { panic!("it is not there") };
    assert!(error.to_string().contains("took too long") && !error.to_string().contains("secret"));
}

/// Keeps others from writing to the row.
pub const THE_MAIL: &str = "SELECT 1 FROM countersign_mail FOR UPDATE";

fn session() -> SessionId {
    SessionId::parse(&"a".repeat(32)).unwrap()
}

/// A mail that is being sent since noon.
pub async fn claim_mail(store: &Store) -> Mail {
    let ada = Email::parse(&RawText::from("ada@example.com")).unwrap();
    store.queue_mail(MailKind::Registration, &ada, noon()).await.unwrap();
    store.claim_mail(&MailKind::ALL, noon(), SignedDuration::from_secs(1)).await.unwrap().unwrap()
}

/// Has it wait until one: a write of one statement.
pub async fn put_off(store: &Store, mail: &Mail) -> Result<(), StoreError> {
    store.postpone_mail(mail, after_noon(60)).await
}

async fn until_it_is_put_off(database: &Database) {
    let put_off =
        format!("SELECT 1 FROM countersign_mail WHERE next_attempt_at = {}", after_noon(60).as_microsecond());
    until("the mail is put off", || !database.rows(&put_off).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_caller_goes_away_neither_holds_up_the_next_one_nor_is_stopped_for_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &PoolOptions { size: 1, ..few() }).await;
    let mail = claim_mail(&store).await;
    let lock = hold(&database, THE_MAIL).await;
    tokio::select! {
        put_off = put_off(&store, &mail) => panic!("there is a lock: {put_off:?}"),
        () = until_one_waits(&database) => {}
    }
    let waiting = store.waiting_mails().await;
    assert!(matches!(waiting, Ok(1)), "{waiting:?}");
    assert!(one_waits(&database), "it was stopped");
    drop(lock);
    until_it_is_put_off(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_caller_goes_away_does_not_hold_up_the_next_one() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &PoolOptions { size: 1, ..few() }).await;
    store.insert_user(person("ada")).await.unwrap();
    let lock = hold(&database, "LOCK TABLE countersign_session").await;
    let id = session();
    tokio::select! {
        found = store.find_session(&id) => panic!("there is a lock: {found:?}"),
        () = until_one_waits(&database) => {}
    }
    assert!(store.username_exists("ada").await.unwrap());
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_write_that_takes_too_long_is_not_stopped() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &hasty()).await;
    let mail = claim_mail(&store).await;
    let lock = hold(&database, THE_MAIL).await;
    let put_off = put_off(&store, &mail).await;
    assert!(matches!(put_off, Err(StoreError::TooSlow)), "{put_off:?}");
    // A word to stop would have come before these connections did.
    for _ in 0..10 {
        assert!(one_waits(&database), "it was stopped");
    }
    drop(lock);
    until_it_is_put_off(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_session_is_in_use_is_not_noted_at_any_price() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &hasty()).await;
    let lock = hold(&database, "LOCK TABLE countersign_session IN SHARE MODE").await;
    let noted = store.touch_sessions(vec![(session(), noon())], SignedDuration::from_secs(60)).await;
    assert!(matches!(noted, Err(StoreError::TooSlow)), "{noted:?}");
    until("it is told to stop", || !one_waits(&database)).await;
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_an_answer_takes_those_that_lie_idle_with_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &hasty()).await;
    store.insert_user(person("ada")).await.unwrap();
    let mail = claim_mail(&store).await;
    let [one, two, three] = ["ada", "bob", "eve"].map(|name| store.username_exists(name));
    let (one, two, three) = tokio::join!(one, two, three);
    assert!(one.unwrap() && !two.unwrap() && !three.unwrap());
    let idle = format!("SELECT 1 FROM pg_stat_activity WHERE {OF_THE_STORE} AND state = 'idle'");
    assert!(database.rows(&idle).len() > 1, "nothing lies idle beside the one that will be in use");
    let _lock = hold(&database, THE_MAIL).await;
    assert!(matches!(put_off(&store, &mail).await, Err(StoreError::TooSlow)));
    until("those that lay idle are closed", || database.rows(&idle).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_write_that_the_server_undid_for_anothers_sake_is_run_again() {
    let Some(cluster) = Cluster::shared() else { return };
    for code in ["40001", "40P01"] {
        let database = cluster.database();
        let store = open(&database, &few()).await;
        let mail = claim_mail(&store).await;
        database.rows(&format!(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION give_way_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('tries') = 1 THEN RAISE EXCEPTION 'another was first' USING ERRCODE = '{code}'; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER giving_way BEFORE UPDATE ON countersign_mail
                 FOR EACH ROW EXECUTE FUNCTION give_way_once()"
        ));
        put_off(&store, &mail).await.unwrap();
        until_it_is_put_off(&database).await;
        assert_eq!(database.rows("SELECT last_value FROM tries"), ["2"]);
    }
}

/// On one thread, so that it is not known to be broken before it is used.
#[tokio::test]
async fn the_only_connection_of_a_pool_is_replaced_as_well() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &PoolOptions { size: 1, ..PoolOptions::default() }).await;
    kill_all(&database);
    store.insert_user(person("ada")).await.unwrap();
    kill_all(&database);
    assert!(store.username_exists("ada").await.unwrap());
}

/// A user whom another program holds, as an operator's or a Django's transaction does, until it is dropped.
async fn hold_user(database: &Database, user: UserId) -> tokio_postgres::Client {
    hold(database, &format!("SELECT 1 FROM auth_user WHERE id = {user} FOR UPDATE")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_user_keeps_nobody_elses_events_from_being_recorded() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &few()).await;
    let [ada, bob] = [person("ada"), person("bob")].map(|person| store.insert_user(person));
    let (ada, bob) = (ada.await.unwrap(), bob.await.unwrap());
    let failed = Event::new(EventKind::LoginFailed, Actor::Client, noon());
    let [of_ada, of_bob] = [(ada, "ada"), (bob, "bob")].map(|(user, name)| Event {
        user: Some(user),
        name: Some(name.to_owned()),
        ..failed.clone()
    });
    let holding = hold_user(&database, ada).await;
    let held = store.record_events(vec![of_ada.clone(), of_bob]).await.unwrap();
    assert_eq!(held, std::slice::from_ref(&of_ada), "it can be recorded later");
    assert_eq!(store.record_events(vec![of_ada.clone().impersonal()]).await.unwrap(), [], "or like this");
    let personal = "SELECT count(personal) || ' of ' || count(*) FROM countersign_event";
    assert_eq!(database.rows(personal), ["1 of 2"]);
    holding.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.record_events(vec![of_ada]).await.unwrap(), []);
    assert_eq!(database.rows(personal), ["2 of 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_acts_on_a_user_who_is_held_gives_up_soon_and_says_what_to_do() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let patient = PoolOptions { answer_timeout: Duration::from_secs(60), ..few() };
    let store = open(&database, &patient).await;
    let ada = store.insert_user(person("ada")).await.unwrap();
    let checked = store.find_user(ada).await.unwrap().unwrap();
    let holding = hold_user(&database, ada).await;
    let (created_at, expires_at, client) = (noon(), after_noon(60), Client::new(None, ""));
    let begun = NewSession { id: session(), user: ada, created_at, expires_at, client };
    let logging_in = store.record_login(Some(begun), None, &checked, None);
    let (logged_in, deleted) = tokio::join!(logging_in, store.delete_user(ada));
    let told = [logged_in.unwrap_err(), deleted.unwrap_err()].map(|error| error.to_string());
    for told in told {
        assert!(told.contains("55P03: canceling statement due to lock timeout"), "{told}");
        assert!(
            told.ends_with(
                "; end the transaction of another program that holds it (pg_stat_activity, pg_blocking_pids)"
            ),
            "{told}"
        );
    }
    assert!(!one_waits(&database), "nor does the server go on waiting");
    holding.batch_execute("ROLLBACK").await.unwrap();
    assert!(store.delete_user(ada).await.unwrap());
}
