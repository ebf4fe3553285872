//! What goes to PostgreSQL together: each is answered as if it had gone alone, whatever becomes of the others.

use countersign_domain::{Client, SessionId, UserId};
use countersign_store::{
    Exchange, Exchanged, Held, Named, NamedUser, NewSession, PoolOptions, Store, StoreError,
};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, Database, Extras, skipped};
use crate::outages::{THE_MAIL, claim_mail, hold, put_off, until_one_waits};
use crate::place::{after_noon, noon, person, token};

/// With one connection, on which what comes while it is in use has to wait.
fn narrow() -> PoolOptions {
    PoolOptions { size: 1, ..PoolOptions::default() }
}

async fn open(database: &Database, options: &PoolOptions) -> Store {
    Store::open(&database.url().parse().unwrap(), options).await.unwrap()
}

fn id(number: usize) -> SessionId {
    SessionId::parse(&format!("{number:032x}")).unwrap()
}

/// So many people, each with a session of the same number.
async fn with_sessions(store: &Store, count: usize) -> Vec<UserId> {
    let mut people = Vec::new();
    for number in 0..count {
        let user = store.insert_user(person(&format!("person{number}"))).await.unwrap();
        let user = store.find_user(user).await.unwrap().unwrap();
        let (created_at, expires_at, client) = (noon(), after_noon(60), Client::new(None, ""));
        let session = NewSession { id: id(number), user: user.id, created_at, expires_at, client };
        assert!(store.record_login(Some(session), None, &user, None).await.unwrap());
        people.push(user.id);
    }
    people
}

fn named(number: usize, user: UserId) -> Named {
    let jti = Some("unheard of".to_owned());
    Named { user: Some(NamedUser::Id(user)), session: Some(id(number)), jti }
}

fn exchange(number: usize, generation: u32, jti: &str) -> Exchange {
    Exchange {
        session: id(number),
        begun: None,
        generation,
        jti: jti.to_owned(),
        at: after_noon(1),
        expires_at: after_noon(61),
        blacklisted: None,
        recorded: None,
    }
}

fn assert_is_of(found: &Held, number: usize, user: UserId) {
    let Held { user: found_user, session, is_blacklisted } = found;
    assert_eq!(found_user.as_ref().map(|user| user.id), Some(user));
    assert_eq!(session.as_ref().map(|session| &session.id), Some(&id(number)));
    assert!(!is_blacklisted);
}

/// Another program's transaction that keeps everybody from a session, until it is dropped.
async fn hold_session(database: &Database, number: usize) -> tokio_postgres::Client {
    hold(database, &format!("SELECT 1 FROM countersign_session WHERE id = '{}' FOR UPDATE", id(number))).await
}

/// Keeps the one connection of a narrow store at work until the lock is dropped; then everything that was begun goes on.
async fn occupy(database: &Database, store: &Store) -> (tokio_postgres::Client, JoinSet<()>) {
    let mail = claim_mail(store).await;
    let lock = hold(database, THE_MAIL).await;
    let (store, mut waiting) = (store.clone(), JoinSet::new());
    waiting.spawn(async move { put_off(&store, &mail).await.unwrap() });
    until_one_waits(database).await;
    (lock, waiting)
}

/// Lets everything that was begun come to where it waits.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn those_who_ask_while_the_server_is_at_work_go_together() {
    let Some(shared) = Cluster::shared() else { return };
    let known = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'";
    if shared.database().rows(known).is_empty() {
        return skipped("pg_stat_statements is not installed (apt-get install postgresql-contrib).");
    }
    let settings = "shared_preload_libraries = 'pg_stat_statements'".to_owned();
    let Some(cluster) = Cluster::of_its_own(&Extras { settings, ..Extras::default() }) else { return };
    let database = cluster.database();
    database.rows("CREATE EXTENSION pg_stat_statements");
    let store = open(&database, &narrow()).await;
    let people = with_sessions(&store, 40).await;
    let (lock, busy) = occupy(&database, &store).await;
    database.rows("SELECT pg_stat_statements_reset()");
    let mut asking = JoinSet::new();
    for (number, user) in people.into_iter().enumerate() {
        let store = store.clone();
        asking.spawn(async move {
            let found = store.find_held(named(number, user)).await.unwrap();
            assert_is_of(&found, number, user);
            if number > 0 {
                let exchanged = store.exchange(exchange(number, 0, "first")).await.unwrap();
                assert_eq!(exchanged, Exchanged::Done);
            }
        });
    }
    settle().await;
    drop(lock);
    asking.join_all().await;
    busy.join_all().await;
    let count = |what: &str| {
        let sql = format!(
            "SELECT COALESCE(sum(calls), 0)::text FROM pg_stat_statements
              WHERE query ILIKE '%{what}%' AND query NOT ILIKE '%pg_stat_statements%'"
        );
        database.rows(&sql).concat().parse::<u32>().unwrap()
    };
    let reads = count("LEFT JOIN");
    // At most two went alone, as nobody was before them; the others when the first of these was back.
    assert!((1..=4).contains(&reads), "{reads} statements for 40 reads");
    let writes = count("SKIP LOCKED");
    assert!((1..=6).contains(&writes), "{writes} statements for 39 exchanges");
    assert_eq!(count("generation = generation +"), 0, "nobody had to ask alone");
}

#[tokio::test]
async fn a_value_that_the_server_does_not_take_fails_its_own_question_alone() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &narrow()).await;
    let people = with_sessions(&store, 12).await;
    let (lock, busy) = occupy(&database, &store).await;
    let mut asking = JoinSet::new();
    for (number, user) in people.into_iter().enumerate() {
        let store = store.clone();
        let jti = if number % 5 == 4 { "not\0a text" } else { "a text" };
        asking.spawn(async move {
            let found = store.find_held(Named { jti: Some(jti.to_owned()), ..named(number, user) }).await;
            let exchanged = store.exchange(exchange(number, 0, jti)).await;
            if number % 5 == 4 {
                assert!(matches!(found, Err(StoreError::DoesNotFit(_))), "{found:?}");
                assert!(matches!(exchanged, Err(StoreError::DoesNotFit(_))), "{exchanged:?}");
            } else {
                assert_is_of(&found.unwrap(), number, user);
                assert_eq!(exchanged.unwrap(), Exchanged::Done);
            }
        });
    }
    settle().await;
    drop(lock);
    asking.join_all().await;
    busy.join_all().await;
}

#[tokio::test]
async fn of_two_exchanges_of_a_session_that_go_together_one_is_done() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &narrow()).await;
    with_sessions(&store, 8).await;
    let (lock, busy) = occupy(&database, &store).await;
    let mut exchanging = JoinSet::new();
    for (number, generation, jti) in
        (1..8).flat_map(|number| [(number, 0, "one"), (number, 0, "other"), (number, 3, "of long ago")])
    {
        let store = store.clone();
        exchanging.spawn(async move {
            let exchanged = store.exchange(exchange(number, generation, jti)).await.unwrap();
            (exchanged == Exchanged::Done).then_some((number, jti))
        });
    }
    settle().await;
    drop(lock);
    let mut done: Vec<_> = exchanging.join_all().await.into_iter().flatten().collect();
    busy.join_all().await;
    done.sort_unstable();
    assert_eq!(done.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..8).collect::<Vec<_>>());
    for (number, jti) in done {
        let session = store.find_session(&id(number)).await.unwrap().unwrap();
        assert_eq!((session.generation, session.replaced_jti.as_deref()), (1, Some(jti)));
    }
}

#[tokio::test]
async fn an_exchange_from_another_generation_changes_nothing_beside_those_that_are_done() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &narrow()).await;
    let people = with_sessions(&store, 8).await;
    assert!(
        store
            .end_session(id(7), people[7], noon(), countersign_domain::EndReason::LoggedOut, |id, _| id
                .into())
            .await
            .unwrap()
    );
    let (lock, busy) = occupy(&database, &store).await;
    let mut exchanging = JoinSet::new();
    for number in 1..8 {
        let store = store.clone();
        let generation = u32::from(number % 2 == 0);
        exchanging.spawn(async move {
            (number, store.exchange(exchange(number, generation, "it")).await.unwrap())
        });
    }
    settle().await;
    drop(lock);
    let mut outcomes = exchanging.join_all().await;
    busy.join_all().await;
    outcomes.sort_unstable_by_key(|(number, _)| *number);
    for (number, outcome) in outcomes {
        let is_done = number % 2 == 1 && number != 7; // which has ended
        assert_eq!(outcome == Exchanged::Done, is_done, "{number}");
        let session = store.find_session(&id(number)).await.unwrap().unwrap();
        assert_eq!(session.generation, u32::from(is_done), "{number}");
    }
}

#[tokio::test]
async fn who_goes_away_does_not_keep_others_from_their_answers() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &narrow()).await;
    let people = with_sessions(&store, 20).await;
    let (lock, busy) = occupy(&database, &store).await;
    let (mut staying, mut leaving) = (JoinSet::new(), JoinSet::new());
    for (number, user) in people.into_iter().enumerate().skip(1) {
        let store = store.clone();
        let work = async move {
            assert_is_of(&store.find_held(named(number, user)).await.unwrap(), number, user);
            assert_eq!(store.exchange(exchange(number, 0, "it")).await.unwrap(), Exchanged::Done);
        };
        if number % 3 == 0 {
            staying.spawn(work)
        } else {
            leaving.spawn(work)
        };
    }
    settle().await;
    leaving.shutdown().await;
    drop(lock);
    staying.join_all().await;
    busy.join_all().await;
    assert_eq!(store.find_session(&id(1)).await.unwrap().unwrap().generation, 0);
}

#[tokio::test]
async fn the_use_of_a_session_whose_row_is_held_is_noted_later_and_that_of_others_now() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &narrow()).await;
    with_sessions(&store, 3).await;
    let lock = hold_session(&database, 1).await;
    let in_use = || {
        let seen = (0..3).map(|number| (id(number), after_noon(60))).collect();
        store.touch_sessions(seen, SignedDuration::from_secs(60))
    };
    let store = &store;
    let seen = |number| async move { store.find_session(&id(number)).await.unwrap().unwrap().last_seen_at };
    in_use().await.unwrap();
    assert_eq!([seen(0).await, seen(1).await, seen(2).await], [after_noon(60), noon(), after_noon(60)]);
    lock.batch_execute("ROLLBACK").await.unwrap();
    in_use().await.unwrap();
    assert_eq!(seen(1).await, after_noon(60));
}

#[tokio::test]
async fn an_exchange_whose_row_is_held_does_not_hold_up_those_beside_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &PoolOptions::default()).await;
    with_sessions(&store, 12).await;
    let lock = hold_session(&database, 5).await;
    let mut exchanging = JoinSet::new();
    for number in 0..12 {
        let store = store.clone();
        exchanging.spawn(async move { (number, store.exchange(exchange(number, 0, "it")).await.unwrap()) });
    }
    for _ in 0..11 {
        let (number, outcome) = exchanging.join_next().await.unwrap().unwrap();
        assert_ne!(number, 5, "somebody else holds it");
        assert_eq!(outcome, Exchanged::Done);
    }
    until_one_waits(&database).await;
    drop(lock);
    assert_eq!(exchanging.join_all().await, [(5, Exchanged::Done)]);
}

#[tokio::test]
async fn connections_that_were_killed_are_replaced_for_those_who_go_together() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &PoolOptions { size: 3, ..PoolOptions::default() }).await;
    let people = with_sessions(&store, 10).await;
    for generation in 0..3 {
        let mut asking = JoinSet::new();
        for (number, user) in people.iter().copied().enumerate() {
            let store = store.clone();
            asking.spawn(async move {
                assert_is_of(&store.find_held(named(number, user)).await.unwrap(), number, user);
                let exchanged = store.exchange(exchange(number, generation, "it")).await.unwrap();
                assert_eq!(exchanged, Exchanged::Done);
            });
        }
        asking.join_all().await;
        database.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
              WHERE pid <> pg_backend_pid() AND datname = current_database()",
        );
    }
}

#[tokio::test]
async fn the_connections_of_a_store_that_is_dropped_are_closed() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &PoolOptions::default()).await;
    let people = with_sessions(&store, 2).await;
    assert_is_of(&store.find_held(named(1, people[1])).await.unwrap(), 1, people[1]);
    let connected = "SELECT 1 FROM pg_stat_activity
                      WHERE pid <> pg_backend_pid() AND datname = current_database()";
    assert!(!database.rows(connected).is_empty());
    drop(store);
    while !database.rows(connected).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_refusal_is_of_one_alone_where_it_is_of_a_value_and_of_all_otherwise() {
    let Some(cluster) = Cluster::shared() else { return };
    // A number out of range, and a disk that is full.
    for (code, is_of_a_value) in [("22003", true), ("53100", false)] {
        let database = cluster.database();
        let store = open(&database, &narrow()).await;
        with_sessions(&store, 8).await;
        database.rows(&format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'it is refused' USING ERRCODE = '{code}';
             END $$;
             CREATE TRIGGER refusing BEFORE UPDATE ON countersign_session
                 FOR EACH ROW WHEN (NEW.id = '{}') EXECUTE FUNCTION refuse()",
            id(5)
        ));
        let (lock, busy) = occupy(&database, &store).await;
        let mut exchanging = JoinSet::new();
        for number in 1..8 {
            let store = store.clone();
            exchanging.spawn(async move { (number, store.exchange(exchange(number, 0, "it")).await) });
        }
        settle().await;
        drop(lock);
        let outcomes = exchanging.join_all().await;
        busy.join_all().await;
        // The first two may have gone alone, as nobody was before them.
        for (number, outcome) in outcomes.into_iter().filter(|(number, _)| is_of_a_value || *number > 2) {
            let is_refused = number == 5 || !is_of_a_value;
            assert_eq!(matches!(outcome, Err(StoreError::Statement(_))), is_refused, "{number}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_token_on_the_blacklist_is_not_exchanged_beside_those_that_are() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let store = open(&database, &narrow()).await;
    with_sessions(&store, 8).await;
    // By another program: the session goes on.
    store.blacklist_token(token("over", None), None, noon()).await.unwrap();
    let (lock, busy) = occupy(&database, &store).await;
    let mut exchanging = JoinSet::new();
    for number in 1..8 {
        let store = store.clone();
        let jti = if number % 2 == 0 { "over" } else { "good" };
        exchanging.spawn(async move { (number, store.exchange(exchange(number, 0, jti)).await.unwrap()) });
    }
    settle().await;
    drop(lock);
    let outcomes = exchanging.join_all().await;
    busy.join_all().await;
    for (number, outcome) in outcomes {
        assert_eq!(outcome == Exchanged::Done, number % 2 == 1, "{number}");
    }
}
