//! Who gives way when every place is taken: connections on which nothing is being done, and requests beside others on
//! HTTP/2 whose body does not come or whose answer is not taken. Of the network that holds most places, who has waited
//! longest is asked first. A head or a body that trickles in is nothing being done. So neither idle clients nor slow ones,
//! however many, keep others out.

mod line;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use countersign_domain::Network;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::line::{Line, Whose};

/// How many are looked at for one who can go. Those who cannot leave the line, so that the next look is luckier.
const LOOKS: usize = 64;

/// Of a seat's count of requests that are served: it has been decided that it goes.
const GOING: usize = 1 << (usize::BITS - 1);

/// All who have places.
pub(crate) struct Seats {
    line: Mutex<Line>,
    began: Instant,
    next: AtomicU64,
}

/// What is known of one who has a place.
struct Seat {
    whose: Whose,
    /// A number of its own.
    number: u64,
    /// Milliseconds from the server's beginning to the last request's beginning or end, or to its own.
    waits_since: AtomicU64,
    /// Where it stands in the line; changed by who holds the line.
    stands_at: AtomicU64,
    /// Whether it has left the line, as it was being served; it comes back when it waits again.
    is_out: AtomicBool,
    /// Whether its place is held no more: it comes back to the line never. Changed by who holds the line.
    is_gone: AtomicBool,
    /// Requests that are there in full, and not yet answered; and [`GOING`].
    served: AtomicUsize,
    way: Way,
}

/// How one goes.
enum Way {
    /// It is told.
    Told(Notify),
    /// It is a task, which ends.
    Ended(Eviction),
}

/// How a request's task is ended for another's sake. Whoever looks at how requests end can tell it from a client's doing.
pub(crate) struct Eviction {
    pub(crate) task: AbortHandle,
    pub(crate) is_ours: Arc<AtomicBool>,
}

/// A seat, while its place is held.
pub(crate) struct Taken {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
}

impl Seats {
    pub(crate) fn new() -> Self {
        Self { line: Mutex::default(), began: Instant::now(), next: AtomicU64::new(0) }
    }

    /// A seat for a connection that has a place. A peer that stands for many clients, as a proxy does, is `None`: it is not
    /// asked before others because it holds more.
    pub(crate) fn take(self: &Arc<Self>, peer: Option<IpAddr>) -> Taken {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let whose = peer.map_or(Whose::Nobody, |peer| Whose::Of(around(peer)));
        self.seat(whose, number, Way::Told(Notify::new()))
    }

    fn seat(self: &Arc<Self>, whose: Whose, number: u64, way: Way) -> Taken {
        let now = self.now();
        let seat = Seat {
            whose,
            number,
            waits_since: AtomicU64::new(now),
            stands_at: AtomicU64::new(now),
            is_out: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            served: AtomicUsize::new(0),
            way,
        };
        let seat = Arc::new(seat);
        self.line().insert(Arc::clone(&seat), now);
        Taken { seats: Arc::clone(self), seat }
    }

    /// Has the one go whose turn that is; false if nobody waits.
    pub(crate) fn make_room(&self) -> bool {
        for _ in 0..LOOKS {
            // Whoever goes leaves the line, which must be free then.
            let Some(seat) = self.next_to_go() else { return false };
            if self.has_go(&seat) {
                return true;
            }
        }
        false
    }

    /// Has this one go, who is in the line no more; false if its body has come by now.
    fn has_go(&self, seat: &Arc<Seat>) -> bool {
        match &seat.way {
            Way::Told(go) => go.notify_one(),
            Way::Ended(eviction) if seat.goes() => {
                eviction.is_ours.store(true, Ordering::SeqCst);
                eviction.task.abort();
            }
            Way::Ended(_) => {
                self.line().insert(Arc::clone(seat), self.now());
                return false;
            }
        }
        true
    }

    fn next_to_go(&self) -> Option<Arc<Seat>> {
        let mut line = self.line();
        for _ in 0..LOOKS {
            let (stood_at, seat) = line.pop()?;
            if seat.steps_out() {
                continue;
            }
            let since = seat.waits_since.load(Ordering::Relaxed);
            if since <= stood_at {
                return Some(seat);
            }
            line.insert(seat, since);
        }
        None
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses that one owner usually has, as they take turns at hashing.
fn around(peer: IpAddr) -> Network {
    Network::of(peer, if peer.to_canonical().is_ipv4() { 24 } else { 48 })
}

impl Seat {
    /// Whether it is being served, so that it leaves the line. Who ends the serving looks whether it did.
    fn steps_out(&self) -> bool {
        self.is_out.store(true, Ordering::SeqCst);
        let is_served = self.is_served();
        if !is_served {
            self.is_out.store(false, Ordering::SeqCst);
        }
        is_served
    }

    fn is_served(&self) -> bool {
        self.served.load(Ordering::SeqCst) & !GOING > 0
    }

    /// Decides that it goes, unless it is being served. What comes for it from then on is not begun any more.
    fn goes(&self) -> bool {
        self.served.compare_exchange(0, GOING, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    fn is_going(&self) -> bool {
        self.served.load(Ordering::SeqCst) & GOING != 0
    }
}

impl Taken {
    /// A seat for a request that has a place of its own beside others of this connection; the task is what answers it.
    pub(crate) fn beside(&self, eviction: Eviction) -> Self {
        let number = self.seats.next.fetch_add(1, Ordering::Relaxed);
        self.seats.seat(self.seat.whose, number, Way::Ended(eviction))
    }

    /// Ready when the connection has to go. It may have got a request since that was said; then it stays.
    pub(crate) async fn is_to_go(&self) {
        let Way::Told(go) = &self.seat.way else { return std::future::pending().await };
        loop {
            go.notified().await;
            if self.seat.goes() {
                return;
            }
            self.seats.line().insert(Arc::clone(&self.seat), self.seats.now());
        }
    }

    /// As one that is served, for as long as the turn lasts.
    pub(crate) fn stay(&self) -> Turn<'_> {
        let turn = Turn::at(self, None);
        turn.comes();
        turn
    }

    /// The time counts anew for which it has waited.
    fn stir(&self) {
        self.seat.waits_since.store(self.seats.now(), Ordering::Relaxed);
    }

    /// It is not served any more.
    fn wait(&self) {
        self.seat.served.fetch_sub(1, Ordering::SeqCst);
        if self.seat.is_out.load(Ordering::SeqCst) {
            let mut line = self.seats.line();
            if self.seat.is_out.swap(false, Ordering::SeqCst) {
                line.insert(Arc::clone(&self.seat), self.seats.now());
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut line = self.seats.line();
        self.seat.is_gone.store(true, Ordering::Relaxed);
        line.remove(&self.seat);
    }
}

/// A request whose head is there, until its answer; nothing is done for it until its body is there, too.
pub(crate) struct Turn<'a> {
    seats: [Option<&'a Taken>; 2],
    has_come: AtomicBool,
}

impl<'a> Turn<'a> {
    /// On a connection, and maybe beside others on it.
    pub(crate) fn at(connection: &'a Taken, beside: Option<&'a Taken>) -> Self {
        let turn = Self { seats: [Some(connection), beside], has_come: AtomicBool::new(false) };
        turn.seats().for_each(Taken::stir);
        turn
    }

    /// The request's body, which tells when it has come to its end.
    pub(crate) fn arriving<B: Body>(&self, body: B) -> Arriving<'_, B> {
        let arriving = Arriving { turn: self, body };
        if arriving.body.is_end_stream() {
            self.comes();
        }
        arriving
    }

    /// Whether it has come too late: it was decided before that its connection, or it alone, goes. Then nothing is begun for it.
    pub(crate) fn is_going(&self) -> bool {
        self.seats().any(|taken| taken.seat.is_going())
    }

    fn comes(&self) {
        if !self.has_come.swap(true, Ordering::Relaxed) {
            self.seats().for_each(|taken| {
                taken.seat.served.fetch_add(1, Ordering::SeqCst);
            });
        }
    }

    fn seats(&self) -> impl Iterator<Item = &'a Taken> {
        self.seats.into_iter().flatten()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.seats().for_each(Taken::stir);
        if *self.has_come.get_mut() {
            self.seats().for_each(Taken::wait);
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
            if self.turn.is_going() {
                return Poll::Pending;
            }
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

    fn from(seats: &Arc<Seats>, peer: &str) -> Taken {
        seats.take(Some(peer.parse().unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_longest_gives_way_and_who_is_served_does_not() {
        let seats = Arc::new(Seats::new());
        let (served, idle, new) = (seats.take(None), seats.take(None), {
            tokio::time::advance(Duration::from_secs(1)).await;
            seats.take(None)
        });
        let turn = Turn::at(&served, None);
        let _ = turn.arriving(Empty::<Bytes>::new());
        assert!(seats.make_room());
        assert_eq!([&served, &idle, &new].map(goes), [false, true, false]);
        assert!(seats.make_room());
        assert_eq!([&served, &idle, &new].map(goes), [false, false, true]);
        drop((idle, new));
        assert!(!seats.make_room(), "everybody is being served");
        drop(turn);
        assert!(seats.make_room() && goes(&served), "who was passed over comes back to the line");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_whose_body_comes_as_it_is_looked_at_stays_and_one_that_comes_later_is_not_begun() {
        let seats = Arc::new(Seats::new());
        let connection = seats.take(None);
        let _is_served = connection.stay();
        let task = tokio::task::JoinSet::new().spawn(std::future::pending::<()>());
        let is_ours = Arc::<AtomicBool>::default();
        let beside = connection.beside(Eviction { task, is_ours: Arc::clone(&is_ours) });
        let turn = Turn::at(&connection, Some(&beside));
        let mut body = turn.arriving(Full::new(Bytes::from_static(b"{}")));
        let mut read = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        while let Some(seat) = seats.next_to_go() {
            assert!(read().is_ready(), "it comes between the look and what follows from it");
            assert!(!seats.has_go(&seat) && !is_ours.load(Ordering::SeqCst));
        }
        drop(body);
        drop(turn);
        let turn = Turn::at(&connection, Some(&beside));
        let mut body = turn.arriving(Full::new(Bytes::from_static(b"{}")));
        assert!(seats.make_room() && is_ours.load(Ordering::SeqCst));
        assert!(Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(turn.is_going());
    }

    #[tokio::test]
    async fn whoever_leaves_while_it_is_looked_at_does_not_come_back_to_the_line() {
        let seats = Arc::new(Seats::new());
        let connection = seats.take(None);
        let _is_served = connection.stay();
        let task = tokio::task::JoinSet::new().spawn(std::future::pending::<()>());
        let beside = connection.beside(Eviction { task, is_ours: Arc::default() });
        let seat = seats.next_to_go().expect("its body has not come");
        seat.served.store(1, Ordering::SeqCst); // now it has
        drop(beside);
        assert!(!seats.has_go(&seat));
        seat.served.store(0, Ordering::SeqCst);
        assert!(seats.next_to_go().is_none(), "there is nobody left to go");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_and_an_answer_are_signs_of_life() {
        let seats = Arc::new(Seats::new());
        let [first, second] = [seats.take(None), seats.take(None)];
        tokio::time::advance(Duration::from_secs(1)).await;
        let _waits_for_its_body = Turn::at(&first, None);
        assert!(seats.make_room());
        assert_eq!([&first, &second].map(goes), [false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_network_that_holds_most_gives_way_however_new_it_is() {
        let seats = Arc::new(Seats::new());
        let honest = from(&seats, "192.0.2.1");
        let proxied: Vec<_> = (0..10).map(|_| seats.take(None)).collect();
        tokio::time::advance(Duration::from_secs(1)).await;
        let flood: Vec<_> = (1..4).map(|last| from(&seats, &format!("198.51.100.{last}"))).collect();
        for taken in &flood[..2] {
            assert!(seats.make_room() && goes(taken));
        }
        assert!(seats.make_room() && goes(&honest), "of those with as many the one that waits longest");
        assert!(seats.make_room() && proxied.iter().any(goes), "who is counted with nobody");
    }

    #[tokio::test(start_paused = true)]
    async fn who_got_a_request_when_it_was_to_go_stays_and_one_without_its_body_is_none() {
        let seats = Arc::new(Seats::new());
        let taken = seats.take(None);
        let turn = Turn::at(&taken, None);
        let mut body = turn.arriving(Full::new(Bytes::from_static(b"{}")));
        assert!(seats.make_room(), "its body is not there");
        let read = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(read.is_ready() && !goes(&taken) && !seats.make_room());
        drop(body);
        drop(turn);
        assert!(seats.make_room() && goes(&taken));
    }
}
