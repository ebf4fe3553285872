//! Who is asked for, who is told what, and what a worker outlives; without a server.

use countersign_metrics::Metrics;
use tokio::sync::Semaphore;

use super::*;

/// Answers that wait for a permit each, and what they were asked.
struct Asked {
    permits: Semaphore,
    metrics: Metrics,
    questions: Mutex<Vec<Vec<u32>>>,
}

impl Asked {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(permits),
            metrics: Metrics::default(),
            questions: Mutex::default(),
        })
    }

    fn questions(&self) -> Vec<Vec<u32>> {
        self.questions.lock().unwrap().clone()
    }
}

/// Batches that are answered by `answer`, once there is a permit for it.
fn batches(asked: &Arc<Asked>, answer: fn(&[u32]) -> Result<Vec<u32>, StoreError>) -> Arc<Batches<u32, u32>> {
    let lengths = &asked.metrics.database.batch_lengths.reads;
    let asked_of = Arc::clone(asked);
    Arc::new(Batches::start(&PoolOptions::default(), lengths, move |questions: Arc<[u32]>| {
        let asked = Arc::clone(&asked_of);
        async move {
            asked.questions.lock().unwrap().push(questions.to_vec());
            asked.permits.acquire().await.unwrap().forget();
            answer(&questions)
        }
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what an answer is")]
fn the_same(questions: &[u32]) -> Result<Vec<u32>, StoreError> {
    Ok(questions.to_vec())
}

/// Asks all of these, in this order, and lets them come to where they wait.
async fn ask_all(
    batches: &Arc<Batches<u32, u32>>,
    questions: impl IntoIterator<Item = u32>,
) -> JoinSet<(u32, Result<u32, StoreError>)> {
    let mut asking = JoinSet::new();
    for question in questions {
        let batches = Arc::clone(batches);
        asking.spawn(async move { (question, batches.ask(question).await) });
    }
    settle().await;
    asking
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Questions that keep every worker at work, one each.
async fn occupy(batches: &Arc<Batches<u32, u32>>) -> Vec<JoinSet<(u32, Result<u32, StoreError>)>> {
    let mut busy = Vec::new();
    for _ in 0..IN_FLIGHT {
        busy.push(ask_all(batches, [0]).await);
    }
    busy
}

/// What each was told, in the order of the questions.
async fn told(asking: JoinSet<(u32, Result<u32, StoreError>)>) -> Vec<String> {
    let mut told = asking.join_all().await;
    told.sort_unstable_by_key(|(question, _)| *question);
    told.into_iter()
        .map(|(_, answer)| answer.map_or_else(|error| error.to_string(), |it| it.to_string()))
        .collect()
}

/// A refusal of the value 7, as the server tells it.
fn refuse_seven(questions: &[u32]) -> Result<Vec<u32>, StoreError> {
    if questions.contains(&7) {
        return Err(StoreError::DoesNotFit("seven".to_owned()));
    }
    the_same(questions)
}

#[tokio::test]
async fn a_refused_value_is_told_to_its_own_caller_alone() {
    let asked = Asked::new(0);
    let batches = batches(&asked, refuse_seven);
    let _busy = occupy(&batches).await;
    let asking = ask_all(&batches, 6..9).await;
    asked.permits.add_permits(100);
    assert_eq!(told(asking).await, ["6", "a text does not fit its column: seven; choose another", "8"]);
    let noted = asked.metrics.text(countersign_metrics::Form::OpenMetrics);
    for (series, wanted) in [("count", 3), ("sum", 5)] {
        let line = format!("countersign_database_batch_length_{series}{{of=\"reads\"}} {wanted}");
        assert!(noted.contains(&line), "two alone and three together: {line} in {noted}");
    }
}

#[tokio::test]
async fn who_has_gone_is_not_asked_for_one_by_one() {
    let asked = Asked::new(0);
    let batches = batches(&asked, refuse_seven);
    let _busy = occupy(&batches).await;
    let (mut leaving, staying) = (ask_all(&batches, [6]).await, ask_all(&batches, [7, 8]).await);
    asked.permits.add_permits(1);
    settle().await; // They are on their way together.
    leaving.shutdown().await;
    asked.permits.add_permits(100);
    told(staying).await;
    assert_eq!(asked.questions(), [vec![0], vec![0], vec![6, 7, 8], vec![7], vec![8]]);
}

#[tokio::test]
async fn what_others_meet_as_well_is_not_asked_one_by_one() {
    let asked = Asked::new(0);
    let batches = batches(&asked, |_| Err(StoreError::Statement("the disk is full".into())));
    let _busy = occupy(&batches).await;
    let asking = ask_all(&batches, 1..4).await;
    asked.permits.add_permits(100);
    let refused =
        "the database refused a statement: the disk is full; try again, and look at the database's own log";
    assert_eq!(told(asking).await, [refused; 3]);
    assert_eq!(asked.questions(), [vec![0], vec![0], vec![1, 2, 3]]);
}

#[tokio::test]
async fn the_first_error_that_others_meet_as_well_ends_the_asking_one_by_one() {
    let asked = Asked::new(0);
    let batches = batches(&asked, |questions| match questions {
        [8] => Err(StoreError::Disconnected("gone".to_owned())),
        questions => refuse_seven(questions),
    });
    let _busy = occupy(&batches).await;
    let asking = ask_all(&batches, [6, 7, 8, 9]).await;
    asked.permits.add_permits(100);
    let broke = "the connection to the database broke: gone; see that it runs, and try again";
    assert_eq!(
        told(asking).await,
        ["6", "a text does not fit its column: seven; choose another", broke, broke]
    );
    assert_eq!(asked.questions(), [vec![0], vec![0], vec![6, 7, 8, 9], vec![6], vec![7], vec![8]]);
}

#[tokio::test]
async fn a_worker_outlives_a_panic_and_whoever_waited_is_told_at_once() {
    let asked = Asked::new(100);
    let batches = batches(&asked, |questions| {
        assert_ne!(questions, [0], "this is what the test is about");
        the_same(questions)
    });
    for busy in occupy(&batches).await {
        assert_eq!(told(busy).await, ["the write was not committed; the log says why, try again"]);
    }
    assert_eq!(told(ask_all(&batches, [1]).await).await, ["1"]);
}

#[tokio::test]
async fn who_comes_when_too_many_wait_is_refused_at_once() {
    let asked = Asked::new(0);
    let batches = batches(&asked, the_same);
    let _busy = occupy(&batches).await;
    let last = u32::try_from(QUEUE_LENGTH).unwrap();
    let waiting = ask_all(&batches, 1..=last).await;
    let mut refused = ask_all(&batches, [last + 1]).await;
    let refused = refused.try_join_next().unwrap().unwrap().1;
    assert!(matches!(refused, Err(StoreError::TooSlow)), "{refused:?}");
    asked.permits.add_permits(100);
    assert!(
        waiting.join_all().await.iter().all(|(question, answer)| matches!(answer, Ok(it) if it == question))
    );
}

#[tokio::test]
async fn who_left_before_the_others_went_is_not_asked_for() {
    let asked = Asked::new(0);
    let batches = batches(&asked, the_same);
    let _busy = occupy(&batches).await;
    let (mut leaving, staying) = (ask_all(&batches, [1, 2]).await, ask_all(&batches, [3]).await);
    leaving.shutdown().await;
    asked.permits.add_permits(100);
    assert_eq!(told(staying).await, ["3"]);
    assert_eq!(asked.questions(), [vec![0], vec![0], vec![3]]);
}
