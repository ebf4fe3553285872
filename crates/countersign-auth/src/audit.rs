//! What is recorded of events and refusals beside the acts themselves: a moment later, together, and no more than fits, as
//! anybody can bring them about as often as they like.

use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_domain::{Actor, Event, EventKind, RefusedRequest, User};
use jiff::{SignedDuration, Timestamp};
use tokio::time::MissedTickBehavior;

use crate::{Auth, Error, Origin};

/// How often what waits is recorded.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at what is too old, in those intervals.
const TIDIED_EVERY: u32 = 60;
/// Refused logins that one server notes one by one in a minute; the rest is counted.
const FAILURES_A_MINUTE: u32 = 60;
/// For so long the failures of a user whom another transaction holds wait for its end; then they are noted without what is
/// personal.
const HELD_FOR: SignedDuration = SignedDuration::from_secs(10);
/// Refusals that one server notes between two recordings; who comes then is not told of.
const REFUSALS_AT_ONCE: usize = 100;

/// How much of the audit log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRules {
    /// Events that are older are deleted.
    pub retention: SignedDuration,
    /// The oldest events beyond so many are deleted.
    pub max_events: i64,
    /// Refusals beyond so many are deleted; none is recorded for 0.
    pub max_refusals: i64,
}

/// A year, and a bounded disk.
impl Default for AuditRules {
    fn default() -> Self {
        let retention = SignedDuration::from_hours(365 * 24);
        Self { retention, max_events: 1_000_000, max_refusals: 10_000 }
    }
}

/// What waits to be recorded.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    failures: Vec<Event>,
    refusals: Vec<RefusedRequest>,
    /// When the minute began in which failures are counted, and how many there were in it.
    minute: Option<Timestamp>,
    in_minute: u32,
    /// Failures that were not noted.
    omitted: u64,
}

impl Pending {
    fn with<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiting {
    /// Whether one more failure is noted by itself in this minute.
    fn takes_failure(&mut self, now: Timestamp) -> bool {
        if self.minute.is_none_or(|minute| !is_within_a_minute(minute, now)) {
            (self.minute, self.in_minute) = (Some(now), 0);
        }
        self.in_minute = self.in_minute.saturating_add(1);
        let takes = self.in_minute <= FAILURES_A_MINUTE;
        self.omitted += u64::from(!takes);
        takes
    }

    /// The failures that wait, and once a minute the number of those that were not noted; and how many all these are.
    fn take_failures(&mut self, now: Timestamp, all: bool) -> (Vec<Event>, u64) {
        let mut events = mem::take(&mut self.failures);
        let mut count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        let is_over = self.minute.is_none_or(|minute| !is_within_a_minute(minute, now));
        if self.omitted > 0 && (is_over || all) {
            let omitted = mem::take(&mut self.omitted);
            count = count.saturating_add(omitted);
            let event = Event::new(EventKind::LoginFailuresOmitted, Actor::Server, now);
            events.push(event.with("failures", omitted.to_string()));
        }
        (events, count)
    }
}

fn is_within_a_minute(minute: Timestamp, now: Timestamp) -> bool {
    now.duration_since(minute).abs() < SignedDuration::from_mins(1)
}

impl Auth {
    /// Notes that a login was refused, and by which rule; the user, if there is one of that name. The name that was typed
    /// is not kept: it may be a mistyped password.
    pub(crate) fn note_failed_login(&self, rule: &'static str, user: Option<&User>, origin: &Origin<'_>) {
        origin.note(|evidence| {
            evidence.rule = Some(rule);
            evidence.user = user.map(|user| user.id);
        });
        let event = self.event(EventKind::LoginFailed, Actor::Client, origin).with("rule", rule);
        let event = match user {
            Some(user) => event.about(user),
            None => event,
        };
        self.pending.with(|waiting| {
            if waiting.takes_failure(event.at) {
                waiting.failures.push(event);
            }
        });
    }

    /// Notes that a request was refused, and why.
    pub fn note_refusal(&self, request_id: &str, details: impl FnOnce() -> Vec<(String, String)>) {
        if self.rules.audit.max_refusals == 0 {
            return;
        }
        self.pending.with(|waiting| {
            if waiting.refusals.len() < REFUSALS_AT_ONCE {
                let (at, request_id) = (self.clock.now(), request_id.to_owned());
                waiting.refusals.push(RefusedRequest { at, request_id, details: details() });
            }
        });
    }

    /// Records that this server starts, and with which settings.
    pub async fn note_start(&self, details: Vec<(&'static str, String)>) -> Result<(), Error> {
        self.counted_events.store(self.store.last_event_position().await?, Ordering::Relaxed);
        let event = Event::new(EventKind::ServerStarted, Actor::Server, self.clock.now());
        self.store.record_events(vec![Event { details, ..event }]).await?;
        Ok(())
    }

    /// Records what waits, and links the events that wait for that. To be called when a server ends; before, it is done
    /// once a second.
    pub async fn record_audit(&self) -> Result<(), Error> {
        self.record_waiting(true).await
    }

    async fn record_waiting(&self, all: bool) -> Result<(), Error> {
        let now = self.clock.now();
        let ((failures, count), refusals) =
            self.pending.with(|waiting| (waiting.take_failures(now, all), mem::take(&mut waiting.refusals)));
        if count > 0 {
            let held = self.record_or_count(failures, count).await?;
            self.record_held(held, now, all).await?;
        }
        if !refusals.is_empty() {
            self.store.record_refusals(refusals, self.rules.audit.max_refusals).await?;
        }
        self.store.link_events(now).await?;
        Ok(())
    }

    /// Records events that stand for so many failures, all but those of users who are held: these are returned. What cannot
    /// be recorded is counted.
    async fn record_or_count(&self, events: Vec<Event>, failures: u64) -> Result<Vec<Event>, Error> {
        let recorded = self.store.record_events(events).await;
        if recorded.is_err() {
            self.pending.with(|waiting| waiting.omitted = waiting.omitted.saturating_add(failures));
        }
        Ok(recorded?)
    }

    /// Whoever holds one user's row keeps nobody else's failures from being noted, and that user's not for long.
    async fn record_held(&self, held: Vec<Event>, now: Timestamp, all: bool) -> Result<(), Error> {
        let has_waited = |event: &Event| all || now.duration_since(event.at).abs() >= HELD_FOR;
        let (late, held): (Vec<_>, Vec<_>) = held.into_iter().partition(has_waited);
        self.pending.with(|waiting| waiting.failures.extend(held));
        if !late.is_empty() {
            let count = u64::try_from(late.len()).unwrap_or(u64::MAX);
            self.record_or_count(late.into_iter().map(Event::impersonal).collect(), count).await?;
        }
        Ok(())
    }

    /// Deletes the events that are older than they are kept by both clocks, an hour's worth at the most, and the oldest that
    /// are too many; returns how many.
    pub async fn delete_old_events(&self) -> Result<usize, Error> {
        let AuditRules { retention, max_events, .. } = self.rules.audit;
        self.compare_clocks().await?;
        let before = self.by_both_clocks(self.clock.now()).checked_sub(retention).unwrap_or(Timestamp::MIN);
        Ok(self.store.delete_old_events(before, max_events).await?)
    }

    /// Records what waits once a second, and deletes what is too old once a minute: to be run beside the server, and on
    /// after `ended` until it is ready. What it has begun to record it records to the end, and then what waits by then.
    pub async fn keep_audit(&self, ended: impl Future<Output = ()>) -> Result<(), Error> {
        let mut ended = pin!(ended);
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since_tidied = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut ended => return self.record_audit().await,
                _ = interval.tick() => {}
            }
            let recorded = self.record_waiting(false).await;
            if let Err(error) = recorded {
                tracing::debug!(%error, "events were not recorded or linked");
            }
            if since_tidied == 0
                && let Err(error) = self.delete_old_events().await
            {
                tracing::debug!(%error, "old events were not deleted");
            }
            since_tidied = (since_tidied + 1) % TIDIED_EVERY;
        }
    }
}
