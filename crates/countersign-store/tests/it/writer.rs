//! The shared commit: writers share it, none spoils another's, no answer leaves before it, and an outage ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_domain::{Actor, Event, EventKind, MailKind, UserId};
use countersign_store::{Break, DatabaseUrl, InsertUserError, Store, StoreError, TokensOf};
use jiff::SignedDuration;
use rusqlite::Connection;

use crate::place::{Place, Waiting, begin, noon, person, token, wait};

type Inserted = Result<UserId, InsertUserError>;

/// Another process that holds the write lock: whatever is written meanwhile waits, and then waits together.
struct Lock(Connection);

impl Lock {
    fn take(place: &Place) -> Self {
        let connection = place.outside();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }

    fn release(self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

fn begin_insert(store: &Store, username: &str) -> Waiting<Inserted> {
    let (store, user) = (store.clone(), person(username));
    begin(async move { store.insert_user(user).await })
}

fn is_taken(inserted: &Inserted) -> bool {
    matches!(inserted, Err(InsertUserError::UsernameTaken))
}

fn is_not_committed(inserted: &Inserted) -> bool {
    matches!(inserted, Err(InsertUserError::Store(StoreError::NotCommitted)))
}

/// Commits in the write-ahead log: its frames that name the size of the database after a commit.
fn commits(place: &Place) -> usize {
    let log = std::fs::read(place.file().with_file_name("db.sqlite3-wal")).unwrap();
    let (header, frames) = log.split_at(32);
    let page = u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize;
    let is_commit = |frame: &&[u8]| frame[8..16] == header[16..24] && frame[4..8] != [0; 4];
    frames.chunks_exact(24 + page).filter(is_commit).count()
}

#[test]
fn writers_that_wait_together_share_a_commit() {
    let (place, store) = Place::open();
    let lock = Lock::take(&place);
    let waiting: Vec<_> = (0..200).map(|number| begin_insert(&store, &number.to_string())).collect();
    let before = commits(&place);
    lock.release();
    let ids: Vec<i64> = waiting.into_iter().map(|insert| wait(insert).unwrap().number().unwrap()).collect();
    assert_eq!(ids, (1..=200).collect::<Vec<_>>(), "in the order in which they came");
    assert_eq!(commits(&place) - before, 1);
}

#[test]
fn a_long_queue_is_written_in_several_commits_so_that_the_first_does_not_wait_for_the_last() {
    let (place, store) = Place::open();
    let lock = Lock::take(&place);
    let waiting: Vec<_> = (0..600).map(|number| begin_insert(&store, &number.to_string())).collect();
    let before = commits(&place);
    lock.release();
    for insert in waiting {
        wait(insert).unwrap();
    }
    assert_eq!(commits(&place) - before, 3);
}

#[test]
fn every_one_of_many_concurrent_writers_gets_its_own_answer() {
    let (place, store) = Place::open();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..50 {
                    let username = format!("{writer}-{number}");
                    let id = wait(store.insert_user(person(&username))).unwrap();
                    assert_eq!(wait(store.find_user(id)).unwrap().unwrap().username, username);
                }
            });
        }
    });
    assert_eq!(place.rows("SELECT count(*) FROM auth_user"), ["400"]);
}

#[test]
fn a_write_that_fails_does_not_undo_its_neighbours() {
    let (place, store) = Place::open();
    let lock = Lock::take(&place);
    let [ada, again, bob] = ["ada", "ada", "bob"].map(|name| begin_insert(&store, name));
    let before = commits(&place);
    lock.release();
    assert!(wait(ada).is_ok());
    assert!(is_taken(&wait(again)));
    assert!(wait(bob).is_ok());
    assert_eq!(commits(&place) - before, 1, "they were neighbours");
    assert_eq!(place.rows("SELECT username FROM auth_user"), ["ada", "bob"]);
}

#[test]
fn a_write_of_one_statement_that_fails_does_not_undo_its_neighbours() {
    let (place, store) = Place::open();
    place
        .outside()
        .execute_batch(
            "INSERT INTO countersign_mail (id, kind, address, created_at, next_attempt_at, attempts)
             VALUES ('a', 'registration', 'eve@example.com', 0, 0, 0);
             CREATE TRIGGER refusal AFTER UPDATE ON countersign_mail
             BEGIN SELECT RAISE(ABORT, 'nothing is put off today'); END",
        )
        .unwrap();
    let lock = Lock::take(&place);
    let ada = begin_insert(&store, "ada");
    let sending = store.clone();
    let claim =
        begin(async move { sending.claim_mail(&MailKind::ALL, noon(), SignedDuration::from_secs(60)).await });
    let bob = begin_insert(&store, "bob");
    let before = commits(&place);
    lock.release();
    assert!(wait(ada).is_ok());
    assert!(matches!(wait(claim), Err(StoreError::Statement(_))));
    assert!(wait(bob).is_ok());
    assert_eq!(commits(&place) - before, 1, "they were neighbours");
    assert_eq!(place.rows("SELECT username FROM auth_user"), ["ada", "bob"]);
    assert_eq!(place.rows("SELECT attempts FROM countersign_mail"), ["0"]);
}

#[test]
fn a_write_of_several_statements_is_made_whole_or_not_at_all() {
    let (place, store) = Place::open();
    place
        .outside()
        .execute_batch(
            "CREATE TRIGGER refusal BEFORE INSERT ON token_blacklist_outstandingtoken WHEN NEW.jti = 'successor'
             BEGIN SELECT RAISE(ABORT, 'no successors today'); END",
        )
        .unwrap();
    let lock = Lock::take(&place);
    let replacing = store.clone();
    let replace = begin(async move {
        replacing.replace_token(token("old", None), token("successor", None), noon()).await
    });
    let ada = begin_insert(&store, "ada");
    lock.release();
    assert!(matches!(wait(replace), Err(StoreError::Statement(_))));
    assert!(wait(ada).is_ok());
    assert!(!wait(store.is_blacklisted("old")).unwrap(), "it has no successor, so it has not ended");
    assert_eq!(wait(store.count_tokens()).unwrap(), 0);
}

#[test]
fn a_token_of_a_user_who_was_deleted_meanwhile_does_not_undo_its_neighbours() {
    let (place, store) = Place::open();
    let ada = wait(store.insert_user(person("ada"))).unwrap();
    let lock = Lock::take(&place);
    let (deleting, recording) = (store.clone(), store.clone());
    let delete = begin(async move { deleting.delete_user(ada).await });
    let record = begin(async move { recording.record_token(token("late", Some(ada))).await });
    let bob = begin_insert(&store, "bob");
    lock.release();
    assert!(wait(delete).unwrap());
    wait(record).unwrap();
    assert!(wait(bob).is_ok());
    let late = wait(store.outstanding_tokens(&TokensOf::Jti("late".to_owned()))).unwrap();
    assert_eq!(late[0].user, None);
    assert_eq!(store.integrity_complaints().unwrap(), [""; 0]);
}

#[test]
fn when_sqlite_rolls_a_commit_back_as_on_a_full_disk_nobody_in_it_is_told_otherwise() {
    let (place, store) = Place::open();
    place
        .outside()
        .execute_batch(
            "CREATE TRIGGER disk_full BEFORE INSERT ON auth_user WHEN NEW.username = 'mallory'
             BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        .unwrap();
    let lock = Lock::take(&place);
    let [ada, mallory, bob] = ["ada", "mallory", "bob"].map(|name| begin_insert(&store, name));
    lock.release();
    let ada = wait(ada);
    assert!(is_not_committed(&ada), "her statement succeeded, her commit did not: {ada:?}");
    let cause = wait(mallory).expect_err("hers is the one that failed").to_string();
    assert!(cause.starts_with("the database refused a statement: database or disk is full; "), "{cause}");
    assert!(wait(bob).is_ok(), "he came after the failure, and has a commit of his own");
    assert_eq!(place.rows("SELECT username FROM auth_user"), ["bob"]);
    assert!(wait(store.insert_user(person("ada"))).is_ok());
}

#[test]
fn a_statement_that_fails_is_an_error_and_the_writer_goes_on_when_the_cause_is_gone() {
    let (place, store) = Place::open();
    place.outside().execute_batch("ALTER TABLE auth_user RENAME TO away").unwrap();
    let failed = wait(store.insert_user(person("ada")));
    assert!(matches!(failed, Err(InsertUserError::Store(StoreError::Statement(_)))), "{failed:?}");
    assert!(matches!(wait(store.find_user(UserId::new(1))), Err(StoreError::Statement(_))));
    place.outside().execute_batch("ALTER TABLE away RENAME TO auth_user").unwrap();
    let ada = wait(store.insert_user(person("ada"))).unwrap();
    assert!(wait(store.find_user(ada)).unwrap().is_some());
}

#[test]
fn a_file_that_another_program_holds_is_no_database_to_serve_from_until_it_is_let_go() {
    let (place, store) = Place::open();
    let lock = Lock::take(&place);
    wait(store.check_tables()).expect("nothing was to be written yet");
    assert!(is_not_committed(&wait(store.insert_user(person("ada")))));
    assert!(matches!(wait(store.check_tables()), Err(StoreError::NotWritable)));
    lock.release();
    let is_well_again = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        wait(store.check_tables()).is_ok()
    });
    assert!(is_well_again, "a write that changes nothing was tried");
}

#[test]
fn reads_fail_while_the_file_is_gone_and_succeed_when_it_is_back() {
    let (place, store) = Place::open();
    let away = place.file().with_file_name("away");
    std::fs::rename(place.file(), &away).unwrap();
    assert!(matches!(wait(store.find_user(UserId::new(1))), Err(StoreError::Statement(_))));
    assert!(!place.file().exists(), "an empty one in its place would be worse");
    std::fs::rename(away, place.file()).unwrap();
    assert_eq!(wait(store.find_user(UserId::new(1))).unwrap(), None);
}

#[test]
fn closing_writes_what_waits_and_folds_the_log_into_the_file() {
    let (place, store) = Place::open();
    wait(store.count_tokens()).unwrap(); // a reader is open too
    let waiting: Vec<_> = (0..100).map(|number| begin_insert(&store, &number.to_string())).collect();
    drop(waiting);
    drop(store);
    let files = std::fs::read_dir(place.file().parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1, "the log is gone");
    assert_eq!(place.rows("SELECT count(*) FROM auth_user"), ["100"]);
}

/// The database that a process writes to until it dies, and the number of answers after which it dies by itself.
const DATABASE_TO_DIE_FOR: &str = "COUNTERSIGN_TEST_DATABASE_TO_DIE_FOR";
const ANSWERS_TO_LIVE: &str = "COUNTERSIGN_TEST_ANSWERS_TO_LIVE";

#[test]
fn what_was_answered_survives_a_kill() {
    if let Ok(path) = std::env::var(DATABASE_TO_DIE_FOR) {
        return write_until_death(&path, std::env::var(ANSWERS_TO_LIVE).unwrap().parse().unwrap());
    }
    let kill_after = |answers| check_after_death(usize::MAX, answers);
    kill_after(300);
    // At the very moment of an answer nobody but itself can end it.
    let die_after = |answers| check_after_death(answers, usize::MAX);
    (1..20).for_each(die_after);
}

/// Lets a process write until it dies after `lifetime` answers, or is killed after `patience`.
fn check_after_death(lifetime: usize, patience: usize) {
    let (place, store) = Place::open();
    drop(store);
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer::what_was_answered_survives_a_kill", "--nocapture"])
        .env(DATABASE_TO_DIE_FOR, place.file())
        .env(ANSWERS_TO_LIVE, lifetime.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
    let is_answer = |line: String| line.rsplit_once("answered ").and_then(|(_, id)| id.parse().ok());
    let mut answered: Vec<i64> = lines.by_ref().filter_map(is_answer).take(patience).collect();
    writer.kill().unwrap(); // SIGKILL, on Unix
    writer.wait().unwrap();
    answered.extend(lines.filter_map(is_answer));
    assert!(answered.len() >= lifetime.min(patience), "it died at work");
    let store = place.reopen().unwrap();
    assert_eq!(store.integrity_complaints().unwrap(), [""; 0]);
    for id in answered {
        assert!(
            wait(store.find_user(UserId::new(id))).unwrap().is_some(),
            "user {id} was answered and is lost"
        );
    }
}

/// Says each id that it was answered; printing fails when nobody listens.
fn write_until_death(path: &str, lifetime: usize) {
    let store = crate::place::open(&DatabaseUrl::Sqlite(path.into())).unwrap();
    let answers = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (store, answers) = (&store, &answers);
            scope.spawn(move || {
                for number in 0.. {
                    let id = wait(store.insert_user(person(&format!("{writer}-{number}")))).unwrap();
                    println!("answered {id}");
                    if answers.fetch_add(1, Ordering::SeqCst) + 1 == lifetime {
                        std::process::abort();
                    }
                }
            });
        }
    });
}

#[tokio::test]
async fn a_write_into_a_file_that_was_removed_or_replaced_is_not_acknowledged() {
    for replaced in [false, true] {
        let (place, store) = Place::open();
        store.insert_user(person("ada")).await.unwrap();
        std::fs::rename(place.file(), place.file().with_extension("away")).unwrap();
        if replaced {
            std::fs::write(place.file(), "").unwrap();
        }
        assert!(store.check_tables().await.is_err(), "it is known without a write: {replaced}");
        assert!(store.insert_user(person("bob")).await.is_err(), "replaced: {replaced}");
        std::fs::rename(place.file().with_extension("away"), place.file()).unwrap();
        store.insert_user(person("bob")).await.unwrap();
    }
}

#[test]
fn events_that_were_made_to_wait_where_none_waits_are_told_when_they_are_linked() {
    let (place, store) = Place::open();
    let made = || store.noting(Event::new(EventKind::UserCreated, Actor::Operator, noon()));
    for name in ["ada", "bob", "eve"] {
        wait(made().insert_user(person(name))).unwrap();
    }
    place
        .outside()
        .execute_batch(
            "UPDATE countersign_event_chain SET last_position = 1,
                    last_hash = (SELECT hash FROM countersign_event WHERE position = 1);
             DELETE FROM countersign_event WHERE position = 2;
             UPDATE countersign_event SET position = NULL, hash = NULL WHERE position > 1",
        )
        .unwrap();
    wait(made().insert_user(person("joe"))).unwrap();
    let kinds = place.rows("SELECT kind || ' ' || details FROM countersign_event ORDER BY kind");
    assert_eq!(kinds[0], r#"events_linked_anew {"events":"1","after":"1"}"#);
    assert!(matches!(wait(store.verify_events(None)).unwrap().breaks[..], [Break::LinkedAnew(_)]));
}
