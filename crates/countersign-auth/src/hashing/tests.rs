//! The threads and those who wait for them. Workers are held up by channels, never by the clock.

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use countersign_domain::Client;
use countersign_password::{Algorithm, Limits, Preferred};

use super::*;

const CHEAP: Preferred = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

struct World {
    pool: HashingPool,
    metrics: Metrics,
    /// What has been worked on, in its order.
    done: Arc<Mutex<Vec<u32>>>,
}

impl World {
    fn new(lane: &Lane) -> Self {
        let hashers = Hashers::new(CHEAP, &Algorithm::ALL, Limits::default()).unwrap();
        let metrics = countersign_metrics::Metrics::default().hashing;
        let pool = HashingPool::start(hashers, lane, metrics.clone()).unwrap();
        Self { pool, metrics, done: Arc::default() }
    }

    fn with_one_worker(max_wait: Duration) -> Self {
        Self::new(&Lane { workers: NonZero::new(1), max_wait, ..Lane::default() })
    }

    /// One worker, ten places, and so much time that no test takes as long.
    fn with_ten_places() -> Self {
        let world = Self::with_one_worker(Duration::from_secs(36_000));
        world.pool.shared.note(Duration::from_secs(3600));
        world
    }

    /// Gives the only worker something to do until what is returned is dropped.
    fn hold_up(&self) -> Sender<()> {
        let (go_on, may_go_on): (_, Receiver<()>) = channel();
        let (begun, has_begun) = channel();
        let held = begin(self.pool.run(Network::Operator, None, move |_, _| {
            begun.send(()).unwrap();
            _ = may_go_on.recv();
        }));
        has_begun.recv().unwrap();
        assert!(held.is_err(), "it waits");
        go_on
    }

    /// Somebody who waits, or the refusal there is at once.
    fn come(&self, address: &str, number: u32) -> Result<Waiting<'_>, Error> {
        let from = Network::of(&Client::new(Some(address.to_owned()), ""));
        let done = Arc::clone(&self.done);
        match begin(self.pool.run(from, None, move |_, _| done.lock().unwrap().push(number))) {
            Ok(answer) => Err(answer.expect_err("nobody works")),
            Err(waiting) => Ok(waiting),
        }
    }

    fn queue(&self) -> i64 {
        self.metrics.queue.get()
    }
}

/// The answer that there is at once, or who waits for it.
fn begin<'a, T>(future: impl Future<Output = T> + 'a) -> Result<T, Pin<Box<dyn Future<Output = T> + 'a>>> {
    let mut future: Pin<Box<dyn Future<Output = T> + 'a>> = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Ok(answer),
        Poll::Pending => Err(future),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_job_that_panics_fails_alone() {
    let world = World::new(&Lane::default());
    for _ in 0..2 * world.pool.workers.len() {
        let panicked = block_on(world.pool.run(Network::Unknown, None, |_, _| panic!("as the test wants")));
        assert!(matches!(panicked, Err::<(), _>(Error::Overloaded)));
    }
    assert!(world.pool.workers.iter().all(|worker| !worker.is_finished()));
    block_on(world.pool.run(Network::Unknown, None, |_, _| ())).expect("somebody still works");
}

#[test]
fn who_comes_beyond_the_bound_is_refused_at_once_and_who_hangs_up_frees_a_place_at_once() {
    let world = World::with_ten_places();
    let _held = world.hold_up();
    let mut waiting: Vec<_> = (0..10).map(|number| world.come("192.0.2.1", number).unwrap()).collect();
    assert!(matches!(world.come("192.0.2.1", 10), Err(Error::Overloaded)));
    assert_eq!((world.queue(), world.metrics.rejected.get()), (10, 1));
    drop(waiting.pop());
    assert_eq!(world.queue(), 9);
    waiting.push(world.come("192.0.2.1", 11).expect("there is a place again"));
    drop(waiting);
    assert_eq!(world.queue(), 0);
}

#[test]
fn a_flood_from_one_network_leaves_others_their_places_and_their_turns() {
    let world = World::with_ten_places();
    let held = world.hold_up();
    let mut flood: Vec<_> = (0..10).map(|number| world.come("192.0.2.1", number).unwrap()).collect();
    let other = world.come("198.51.100.1", 99).expect("the flood has to make room");
    assert_eq!((world.queue(), world.metrics.rejected.get()), (10, 1));
    assert!(matches!(world.come("192.0.2.200", 10), Err(Error::Overloaded)), "it has its share");
    drop(held);
    assert!(matches!(block_on(flood.pop().unwrap()), Err(Error::Overloaded)), "its last had to go");
    block_on(other).unwrap();
    for one in flood {
        block_on(one).unwrap();
    }
    assert_eq!(*world.done.lock().unwrap(), [0, 99, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn who_has_waited_too_long_is_turned_away_instead_of_being_late() {
    let world = World::with_ten_places();
    let _held = world.hold_up();
    let in_time = Instant::now() + Duration::from_secs(36_000);
    let late = world.come("192.0.2.1", 1).unwrap();
    let work = Box::new(|_: &Hashers, _: &mut Workspace| ());
    world.pool.shared.admit(Network::Unknown, Job { memory_kib: 0, work }, in_time).unwrap();
    assert_eq!((world.queue(), world.metrics.rejected.get()), (2, 0));
    let too_late = Instant::now() + Duration::from_secs(36_001);
    assert!(world.pool.shared.next_at(too_late).is_some(), "the one whose time is not up");
    assert_eq!((world.queue(), world.metrics.rejected.get()), (0, 1));
    assert!(matches!(block_on(late), Err(Error::Overloaded)));
}

#[test]
fn everyone_who_waits_when_the_pool_ends_is_answered() {
    let world = World::with_ten_places();
    let held = world.hold_up();
    let (answer, answered) = channel();
    for number in 0..5 {
        let answer = answer.clone();
        let work = Box::new(move |_: &Hashers, _: &mut Workspace| answer.send(number).unwrap());
        world.pool.shared.admit(Network::Unknown, Job { memory_kib: 0, work }, Instant::now()).unwrap();
    }
    drop(held);
    drop(world);
    drop(answer);
    assert_eq!(answered.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn hashes_that_ask_for_more_memory_than_a_worker_has_go_as_many_at_once_as_fit() {
    // 64 MiB for the rest, 64 KiB for each of the two workers, and room for one of 128 MiB.
    let memory_limit = Some((64 + 129) << 20);
    let world = World::new(&Lane { workers: NonZero::new(2), memory_limit, ..Lane::default() });
    let (inside, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let costly = |_| {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        let work = Box::new(move |_: &Hashers, _: &mut Workspace| {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            (0..10).for_each(|_| std::thread::yield_now()); // so that another worker would be seen
            inside.fetch_sub(1, Ordering::SeqCst);
        });
        let job = Job { memory_kib: 100_000, work };
        assert!(world.pool.shared.admit(Network::Unknown, job, Instant::now()).is_some());
    };
    (0..100).for_each(costly);
    let max = world.pool.shared.hashers().max_memory_kib();
    assert_eq!(max, 129 * 1024 - 128, "what could not fit is refused instead of being tried");
    drop(world);
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn who_waits_for_the_memory_of_an_odd_hash_holds_no_worker_up() {
    let memory_limit = Some((64 + 129) << 20);
    let world = World::new(&Lane { workers: NonZero::new(2), memory_limit, ..Lane::default() });
    let shared = &world.pool.shared;
    let (begun, has_begun) = channel();
    let (go_on, may_go_on): (_, Receiver<()>) = channel();
    let may_go_on = Arc::new(Mutex::new(may_go_on));
    for _ in 0..3 {
        let (begun, may_go_on) = (begun.clone(), Arc::clone(&may_go_on));
        let work = Box::new(move |_: &Hashers, _: &mut Workspace| {
            begun.send(()).unwrap();
            _ = may_go_on.lock().unwrap().recv();
        });
        assert!(shared.admit(Network::Unknown, Job { memory_kib: 100_000, work }, Instant::now()).is_some());
    }
    has_begun.recv().unwrap();
    block_on(world.pool.run(Network::Unknown, None, |_, _| ())).expect("the other worker is free for it");
    drop(go_on);
    drop(world);
    assert_eq!(has_begun.try_iter().count(), 2, "those that waited were served");
}

#[test]
fn few_long_passwords_wait_at_once_and_any_number_of_usual_ones() {
    let world = World::with_one_worker(Duration::from_secs(36_000));
    world.pool.shared.note(Duration::from_secs(1));
    let held = world.hold_up();
    let password = |length: usize| Password::parse_presented(&"x".repeat(length).as_str().into()).unwrap();
    let come = |length| begin(world.pool.burn(Network::Unknown, password(length)));
    let mut waiting = Vec::new();
    for _ in 0..LONG_PASSWORDS {
        waiting.push(come(60_000).expect_err("there is room"));
    }
    assert!(matches!(come(USUAL_PASSWORD_BYTES + 1), Ok(Err(Error::Overloaded))));
    assert_eq!(world.metrics.rejected.get(), 1);
    for _ in 0..100 {
        waiting.push(come(USUAL_PASSWORD_BYTES).expect_err("everybody's place"));
    }
    drop(waiting.swap_remove(0)); // it hangs up
    waiting.push(come(60_000).expect_err("there is room again"));
    drop(held);
    for one in waiting {
        block_on(one).unwrap();
    }
    assert!(!matches!(come(60_000), Ok(Err(_))), "those that were served have left theirs");
}

#[test]
#[cfg(target_os = "linux")]
fn a_hashing_thread_stands_below_the_others() {
    let world = World::with_one_worker(Duration::from_secs(1));
    let nice = |stat: String| stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().to_owned();
    let read = || std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let of_worker = block_on(world.pool.run(Network::Unknown, None, move |_, _| read())).unwrap();
    let number = |stat: String| nice(stat).parse::<i32>().unwrap();
    assert_eq!(number(of_worker), (number(read()) + 10).min(19));
}
