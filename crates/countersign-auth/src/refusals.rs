//! Refusals that are remembered for a moment: whoever goes on guessing at what is used up costs no statement. That there is
//! leave is never remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use countersign_store::Charge;
use jiff::{SignedDuration, Timestamp};

/// How long, at the most: so late is it known here that something was given back at another server.
const AT_MOST: SignedDuration = SignedDuration::from_secs(10);
/// So many are remembered; of more, all are forgotten, which costs a statement for each.
const MOST: usize = 10_000;

/// By the ids of their budgets.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<i64, Refusal>>);

#[derive(Clone, Copy)]
struct Refusal {
    at: Timestamp,
    free_at: Timestamp,
}

impl Refusal {
    /// One from a time that has not come is of a clock that was set back.
    fn holds(self, now: Timestamp) -> bool {
        self.at <= now && now < self.free_at && now.duration_since(self.at) < AT_MOST
    }
}

impl Refusals {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.with(|kept| kept.is_empty())
    }

    /// Which of these budgets has just refused, and until when; of several, the one that takes longest.
    pub(crate) fn find(&self, charges: &[Charge], now: Timestamp) -> Option<(i64, Timestamp)> {
        self.with(|kept| {
            let held = |charge: &Charge| {
                let refusal = kept.get(&charge.id).filter(|refusal| refusal.holds(now))?;
                Some((charge.id, refusal.free_at))
            };
            charges.iter().filter_map(held).max_by_key(|(_, free_at)| *free_at)
        })
    }

    /// A budget refuses until then.
    pub(crate) fn remember(&self, id: i64, free_at: Timestamp, at: Timestamp) {
        self.with(|kept| {
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(id, Refusal { at, free_at });
        });
    }

    /// Something was given back to these.
    pub(crate) fn forget(&self, charges: &[Charge]) {
        self.with(|kept| {
            for charge in charges {
                kept.remove(&charge.id);
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<i64, Refusal>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use countersign_domain::Budget;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn charge(id: i64) -> Charge {
        Charge { id, budget: Budget::of("5/min".parse().unwrap()) }
    }

    #[test]
    fn a_refusal_is_remembered_until_its_time_and_no_longer_than_a_moment() {
        let refusals = Refusals::default();
        refusals.remember(1, at(105), at(100));
        refusals.remember(2, at(900), at(100));
        let both = [charge(1), charge(2), charge(3)];
        let found = |secs| refusals.find(&both, at(secs)).map(|(id, _)| id);
        assert_eq!([100, 109, 110, 99].map(found), [Some(2), Some(2), None, None]);
        assert_eq!([104, 105].map(|secs| refusals.find(&both[..1], at(secs))), [Some((1, at(105))), None]);
        refusals.forget(&both[1..2]);
        assert_eq!(found(100), Some(1));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let refusals = Refusals::default();
        for id in 0..25_000 {
            refusals.remember(id, at(105), at(100));
            assert!(refusals.with(|kept| kept.len()) <= MOST);
        }
        assert!(refusals.find(&[charge(24_999)], at(100)).is_some() && !refusals.is_empty());
    }
}
