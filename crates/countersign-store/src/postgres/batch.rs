//! Natural batching: what is asked while the server is at work for others waits for them, and then goes together, as one
//! statement. There are no timers: a question that finds nobody before it goes at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_metrics::Histogram;
use countersign_traces::span;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::{PoolOptions, StoreError};

/// Batches that are on their way at once. Measured: `docs/decisions/0011-batches.md`.
const IN_FLIGHT: usize = 2;
/// Questions that go together at the most.
const LENGTH: usize = 256;
/// The statements number those who go together, `place BETWEEN 1 AND 1000`; who came after would be left out.
const _: () = assert!(LENGTH <= 1000);
/// Questions that wait at the most; who comes then is refused.
const QUEUE_LENGTH: usize = 4096;

/// Questions of one kind, asked together.
pub(crate) struct Batches<Q, A> {
    queue: Arc<Queue<Q, A>>,
    /// How long a caller waits: for others, and then for the answer.
    patience: Duration,
    /// They end with this.
    _workers: JoinSet<()>,
}

struct Queue<Q, A> {
    waiting: Mutex<VecDeque<Waiting<Q, A>>>,
    changed: Notify,
}

struct Waiting<Q, A> {
    question: Q,
    answer: oneshot::Sender<Result<A, StoreError>>,
}

impl<Q: Clone + Send + Sync + 'static, A: Send + 'static> Batches<Q, A> {
    /// `ask` puts questions, and returns their answers in the same order; how many went together is noted in `lengths`.
    pub(crate) fn start<F>(
        options: &PoolOptions,
        lengths: &Histogram,
        ask: impl Fn(Arc<[Q]>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        let queue = Arc::new(Queue { waiting: Mutex::default(), changed: Notify::new() });
        let mut workers = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let (queue, lengths, ask) = (Arc::clone(&queue), lengths.clone(), ask.clone());
            workers.spawn(async move {
                loop {
                    let batch = queue.next_batch().await;
                    // In a task of its own: a panic, of which the log has told, ends that and not the worker.
                    let mut serving = JoinSet::new();
                    serving.spawn(serve(batch, lengths.clone(), ask.clone()));
                    serving.join_next().await;
                }
            });
        }
        Self { queue, patience: options.connect_timeout + options.answer_timeout, _workers: workers }
    }

    /// The answer to a question, which goes with those of others. Who does not wait for it does not keep them from theirs.
    pub(crate) async fn ask(&self, question: Q) -> Result<A, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(Waiting { question, answer })?;
        match tokio::time::timeout(self.patience, answered).instrument(span::batch()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(StoreError::NotCommitted), // the program ends, or a batch in a panic
            Err(_) => Err(StoreError::TooSlow),
        }
    }
}

impl<Q, A> Queue<Q, A> {
    fn push(&self, waiting: Waiting<Q, A>) -> Result<(), StoreError> {
        {
            let mut queue = self.lock();
            if queue.len() >= QUEUE_LENGTH {
                return Err(StoreError::TooSlow);
            }
            queue.push_back(waiting);
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Those who wait, once there are any.
    async fn next_batch(&self) -> Vec<Waiting<Q, A>> {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Vec<Waiting<Q, A>> {
        let mut queue = self.lock();
        let length = queue.len().min(LENGTH);
        queue.drain(..length).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting<Q, A>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for those who still wait, and hands out the answers.
async fn serve<Q: Clone, A, F>(batch: Vec<Waiting<Q, A>>, lengths: Histogram, ask: impl Fn(Arc<[Q]>) -> F)
where
    F: Future<Output = Result<Vec<A>, StoreError>>,
{
    let present = batch.into_iter().filter(|waiting| !waiting.answer.is_closed());
    let (questions, callers): (Vec<Q>, Vec<_>) =
        present.map(|waiting| (waiting.question, waiting.answer)).unzip();
    if questions.is_empty() {
        return;
    }
    lengths.observe(f64::from(u32::try_from(questions.len()).unwrap_or(u32::MAX)));
    let questions: Arc<[Q]> = questions.into();
    match ask(Arc::clone(&questions)).await {
        Ok(answers) => {
            for (caller, answer) in callers.into_iter().zip(answers) {
                drop(caller.send(Ok(answer))); // who went away does not read it
            }
        }
        // A value of one is what the server does not take: nothing has happened, and each is asked by itself.
        Err(error) if questions.len() > 1 && error.is_of_a_value() => {
            serve_one_by_one(callers, &questions, &ask).await;
        }
        Err(error) => {
            for caller in callers {
                drop(caller.send(Err(error.for_another())));
            }
        }
    }
}

/// Until there is an error that the rest would meet as well.
async fn serve_one_by_one<Q: Clone, A, F>(
    callers: Vec<oneshot::Sender<Result<A, StoreError>>>,
    questions: &[Q],
    ask: &impl Fn(Arc<[Q]>) -> F,
) where
    F: Future<Output = Result<Vec<A>, StoreError>>,
{
    let mut met = None;
    for (caller, question) in callers.into_iter().zip(questions) {
        if caller.is_closed() {
            continue;
        }
        let answer = match &met {
            Some(error) => Err(StoreError::for_another(error)),
            None => ask([question.clone()].into()).await,
        };
        if let Err(error) = &answer
            && !error.is_of_a_value()
        {
            met = Some(error.for_another());
        }
        let answer = answer.and_then(|answers| answers.into_iter().next().ok_or(StoreError::NotCommitted));
        drop(caller.send(answer)); // who went away does not read it
    }
}

#[cfg(test)]
mod tests;
