//! Work that panics fails alone: others of its connection go on, and it is answered, counted and logged as any other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// What `work` comes to; `None` if it panics, of which the panic's own message tells. What it shares with others has to
/// be whole whenever it can panic. (It is pinned by the caller, so that it is not moved: it is large.)
pub(crate) async fn caught<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
