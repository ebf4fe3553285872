//! Who gives way when every place is taken: connections on which nothing is being done, those first that have waited
//! longest. A head or a body that trickles in is nothing being done. So neither idle clients nor slow ones, however many,
//! keep others out.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How many are looked at for one who can go. Those who cannot move to the end of the line, so that the next look is luckier.
const LOOKS: usize = 64;

/// The connections that have places, in the order in which they came or were last known to be answered.
pub(crate) struct Seats {
    line: Mutex<BTreeMap<Position, Arc<Seat>>>,
    began: Instant,
    next: AtomicU64,
}

/// Milliseconds since the server began, and a number of the connection's own.
type Position = (u64, u64);

/// What is known of a connection.
pub(crate) struct Seat {
    began: Instant,
    /// Milliseconds from then to the last answer, or to its beginning.
    waits_since: AtomicU64,
    /// Where it stands in the line; changed by who holds the line.
    stands_at: AtomicU64,
    /// Requests that are there in full, and not yet answered.
    served: AtomicUsize,
    go: Notify,
}

/// A seat, while its connection lasts.
pub(crate) struct Taken {
    seats: Arc<Seats>,
    number: u64,
    seat: Arc<Seat>,
}

impl Seats {
    pub(crate) fn new() -> Self {
        Self { line: Mutex::default(), began: Instant::now(), next: AtomicU64::new(0) }
    }

    /// A seat for a connection that has a place.
    pub(crate) fn take(self: &Arc<Self>) -> Taken {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::new(self.began));
        line_up(&mut self.line(), number, Arc::clone(&seat), seat.now());
        Taken { seats: Arc::clone(self), number, seat }
    }

    /// Has the one go who has waited longest; false if nobody waits.
    pub(crate) fn make_room(&self) -> bool {
        let mut line = self.line();
        for _ in 0..LOOKS.min(line.len()) {
            let Some(((stood_at, number), seat)) = line.pop_first() else { break };
            let since = if seat.is_served() { seat.now() } else { seat.waits_since.load(Ordering::Relaxed) };
            if since <= stood_at && !seat.is_served() {
                seat.go.notify_one();
                return true;
            }
            line_up(&mut line, number, seat, since);
        }
        false
    }

    fn line(&self) -> MutexGuard<'_, BTreeMap<Position, Arc<Seat>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line_up(line: &mut BTreeMap<Position, Arc<Seat>>, number: u64, seat: Arc<Seat>, since: u64) {
    seat.stands_at.store(since, Ordering::Relaxed);
    line.insert((since, number), seat);
}

impl Taken {
    pub(crate) fn seat(&self) -> Arc<Seat> {
        Arc::clone(&self.seat)
    }

    /// Ready when the connection has to go. It may have got a request since that was said; then it stays.
    pub(crate) async fn is_to_go(&self) {
        loop {
            self.seat.go.notified().await;
            if !self.seat.is_served() {
                return;
            }
            line_up(&mut self.seats.line(), self.number, self.seat(), self.seat.now());
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut line = self.seats.line();
        line.remove(&(self.seat.stands_at.load(Ordering::Relaxed), self.number));
    }
}

impl Seat {
    /// Of a connection that has begun at this moment, with a server that began `began`.
    fn new(began: Instant) -> Self {
        let [waits_since, stands_at] = [const { AtomicU64::new(0) }; 2];
        let seat = Self { began, waits_since, stands_at, served: AtomicUsize::new(0), go: Notify::new() };
        seat.waits_since.store(seat.now(), Ordering::Relaxed);
        seat
    }

    /// For a connection without a place, which stands in no line.
    pub(crate) fn of_none() -> Self {
        Self::new(Instant::now())
    }

    /// A request whose head is there; nothing is done for it until its body is, too.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn { seat: self, has_come: AtomicBool::new(false) }
    }

    fn is_served(&self) -> bool {
        self.served.load(Ordering::Relaxed) > 0
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A request, until its answer.
pub(crate) struct Turn<'a> {
    seat: &'a Seat,
    has_come: AtomicBool,
}

impl Turn<'_> {
    /// The request's body, which tells when it has come to its end.
    pub(crate) fn arriving<B: Body>(&self, body: B) -> Arriving<'_, B> {
        let arriving = Arriving { turn: self, body };
        if arriving.body.is_end_stream() {
            self.comes();
        }
        arriving
    }

    fn comes(&self) {
        if !self.has_come.swap(true, Ordering::Relaxed) {
            self.seat.served.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.seat.waits_since.store(self.seat.now(), Ordering::Relaxed);
        if *self.has_come.get_mut() {
            self.seat.served.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A body on its way.
pub(crate) struct Arriving<'a, B> {
    turn: &'a Turn<'a>,
    body: B,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Arriving<'_, B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.turn.comes();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;
    use std::time::Duration;

    use http_body_util::{Empty, Full};

    use super::*;

    fn goes(taken: &Taken) -> bool {
        pin!(taken.is_to_go()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_longest_gives_way_and_who_is_served_does_not() {
        let seats = Arc::new(Seats::new());
        let (served, idle, new) = (seats.take(), seats.take(), {
            tokio::time::advance(Duration::from_secs(1)).await;
            seats.take()
        });
        let turn = served.seat.turn();
        let _body = turn.arriving(Empty::<Bytes>::new());
        assert!(seats.make_room());
        assert_eq!([&served, &idle, &new].map(goes), [false, true, false]);
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(idle.seat.turn()); // an answer: now the new one has waited longer
        assert!(seats.make_room());
        assert_eq!([&served, &idle, &new].map(goes), [false, false, true]);
        drop((idle, new));
        assert!(!seats.make_room(), "everybody is being served");
    }

    #[tokio::test(start_paused = true)]
    async fn who_got_a_request_when_it_was_to_go_stays_and_one_without_its_body_is_none() {
        let seats = Arc::new(Seats::new());
        let taken = seats.take();
        let turn = taken.seat.turn();
        let mut body = turn.arriving(Full::new(Bytes::from_static(b"{}")));
        assert!(seats.make_room(), "its body is not there");
        let read = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(read.is_ready() && !goes(&taken) && !seats.make_room());
        drop(body);
        drop(turn);
        assert!(seats.make_room() && goes(&taken));
    }
}
