//! A budget of attempts: how long the next one has to wait, and what one that need not have been counted gives back.
//!
//! It is as large as a [`Rate`] and never allows more of them in any one of its periods. Half may come at once; of these
//! the first half without any wait, then with one that doubles each time. The other half comes back evenly, one at a time.
//! Who rests is given back as steadily, so that the wait halves again. All of that is two times per budget.

use jiff::{SignedDuration, Timestamp};

use crate::Rate;

/// A budget, in whole microseconds, which is what a database keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many may be spent at once.
    burst: i64,
    /// Microseconds in which one comes back, and the longest wait.
    every: i64,
}

/// What was spent of a budget, as it is kept. Of one that is whole nothing needs to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// When it will be whole again.
    pub whole_at: Timestamp,
    /// When the next attempt may come; long ago where none has to wait, so that none has to when the clock is set back.
    pub free_at: Timestamp,
}

impl Budget {
    /// The budget of a rate.
    #[must_use]
    pub fn of(rate: Rate) -> Self {
        let attempts = i64::from(rate.attempts());
        let burst = (attempts + 1) / 2;
        let period = i64::try_from(rate.period().as_micros()).unwrap_or(i64::MAX);
        let slots = attempts - burst + 1;
        Self { burst, every: (period + slots - 1) / slots }
    }

    /// How many may be spent at once.
    #[must_use]
    pub fn burst(self) -> i64 {
        self.burst
    }

    /// Microseconds in which one comes back.
    #[must_use]
    pub fn every(self) -> i64 {
        self.every
    }

    /// Spends one at `now`; or until when that has to wait, and nothing is spent.
    ///
    /// What no clock that runs on could have brought about, as when one was set back, does not count.
    pub fn spend(self, spent: Option<Spent>, now: Timestamp) -> Result<Spent, Timestamp> {
        let now = now.as_microsecond();
        let (whole_at, free_at) = spent.map_or((now, now), microseconds);
        if (now + 1..=now + self.every).contains(&free_at) {
            return Err(to_time(free_at));
        }
        let whole_at = whole_at.clamp(now, now + self.burst * self.every) + self.every;
        Ok(Spent { whole_at: to_time(whole_at), free_at: to_time(self.free_at(whole_at, now)) })
    }

    /// Gives so many back at `now`.
    #[must_use]
    pub fn give_back(self, spent: Spent, count: i64, now: Timestamp) -> Spent {
        let now = now.as_microsecond();
        let (whole_at, free_at) = microseconds(spent);
        let whole_at = (whole_at - count * self.every).max(now);
        let free_at = free_at.min(self.free_at(whole_at, now));
        Spent { whole_at: to_time(whole_at), free_at: to_time(free_at) }
    }

    /// When the next may come when all is back at `whole_at`.
    fn free_at(self, whole_at: i64, now: i64) -> i64 {
        let level = (whole_at - now + self.every - 1) / self.every;
        if level >= self.burst {
            now + self.every
        } else if level * 2 <= self.burst {
            0
        } else {
            now + (self.every >> (self.burst - level).min(62))
        }
    }
}

/// Between now and when the next may come, in whole seconds; at least one.
#[must_use]
pub fn seconds_until(free_at: Timestamp, now: Timestamp) -> u64 {
    let wait = free_at.duration_since(now).max(SignedDuration::ZERO);
    let whole = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    u64::try_from(whole).unwrap_or_default().max(1)
}

fn microseconds(spent: Spent) -> (i64, i64) {
    (spent.whole_at.as_microsecond(), spent.free_at.as_microsecond())
}

fn to_time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(rate: &str) -> Budget {
        Budget::of(rate.parse().unwrap())
    }

    fn noon() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    /// When each of the first attempts of somebody who never gives up is let through, in seconds.
    fn admitted(budget: Budget, count: usize) -> Vec<i64> {
        let (mut spent, mut now, mut times) = (None, noon(), Vec::new());
        while times.len() < count {
            match budget.spend(spent, now) {
                Ok(next) => {
                    spent = Some(next);
                    times.push(now.duration_since(noon()).as_secs());
                }
                Err(free_at) => now = free_at,
            }
        }
        times
    }

    #[test]
    fn the_first_come_at_once_then_the_wait_doubles_up_to_the_steady_one() {
        assert_eq!(admitted(budget("5/min"), 6), [0, 0, 10, 30, 50, 70]);
        let waits: Vec<_> = admitted(budget("50/day"), 40).windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(waits[..13], [0; 13]);
        assert_eq!(waits[13..25], [2, 3, 7, 13, 26, 52, 103, 208, 415, 831, 1662, 3323]);
        assert!(waits[25..].iter().all(|wait| (3322..=3324).contains(wait)), "{waits:?}");
    }

    #[test]
    fn nobody_gets_more_than_the_rate_in_any_one_period_whatever_they_do() {
        for rate in ["1/s", "2/min", "3/hour", "5/min", "7/day", "20/hour", "50/day", "101/hour", "1000/day"]
        {
            let (budget, of) = (budget(rate), rate.parse::<Rate>().unwrap());
            let mut state = 0x9e37_79b9_7f4a_7c15_u64;
            let (mut spent, mut now, mut times) = (None, noon(), Vec::new());
            for _ in 0..20_000 {
                match budget.spend(spent, now) {
                    Ok(next) => {
                        spent = Some(next);
                        times.push(now);
                    }
                    Err(free_at) => now = free_at, // the greediest that there is
                }
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if state >> 60 == 0 {
                    let rest = i64::try_from(state >> 20).unwrap() % (2 * of.period().as_secs());
                    now = now.checked_add(SignedDuration::from_secs(rest)).unwrap(); // or they rest
                }
            }
            let most = usize::try_from(of.attempts()).unwrap();
            let too_many =
                times.windows(most + 1).find(|window| window[most].duration_since(window[0]) < of.period());
            assert_eq!(too_many, None, "{rate}");
            assert!(times.len() > most, "{rate}");
        }
    }

    #[test]
    fn who_rests_for_as_long_as_was_spent_finds_the_budget_whole() {
        let budget = budget("20/hour");
        let mut spent = None;
        for _ in 0..5 {
            spent = Some(budget.spend(spent, noon()).unwrap());
        }
        let whole_at = spent.unwrap().whole_at;
        assert_eq!(budget.spend(spent, whole_at), budget.spend(None, whole_at));
        let later = whole_at - SignedDuration::from_micros(budget.every());
        assert_ne!(budget.spend(spent, later), budget.spend(None, later));
    }

    #[test]
    fn what_is_given_back_was_never_spent() {
        let budget = budget("5/min");
        let one = budget.spend(None, noon()).unwrap();
        let two = budget.spend(Some(one), noon()).unwrap();
        assert!(one.free_at < noon() && two.free_at > noon());
        assert_eq!(budget.give_back(two, 1, noon()), one);
        let whole = Spent { whole_at: noon(), free_at: Timestamp::UNIX_EPOCH };
        assert_eq!(budget.give_back(two, budget.burst(), noon()), whole);
        assert_eq!(budget.give_back(two, 9, noon()), whole);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let budget = budget("5/min");
        let next_year = noon() + SignedDuration::from_hours(24 * 365);
        let mut spent = None;
        for _ in 0..2 {
            spent = Some(budget.spend(spent, next_year).unwrap());
        }
        let now = budget.spend(spent, noon()).unwrap();
        assert_eq!(seconds_until(now.free_at, noon()), 20, "as one that is used up, no more");
    }

    #[test]
    fn what_was_free_at_once_still_is_when_the_clock_is_set_back() {
        let budget = budget("50/day");
        let one = budget.spend(None, noon()).unwrap();
        let given_back = budget.give_back(one, 1, noon());
        for earlier in [1, 60, 3000, 4000, 100_000].map(|secs| noon() - SignedDuration::from_secs(secs)) {
            assert!(
                budget.spend(Some(one), earlier).is_ok() && budget.spend(Some(given_back), earlier).is_ok()
            );
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_rounded_up() {
        for (millis, secs) in [(-5, 1), (0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(seconds_until(noon() + SignedDuration::from_millis(millis), noon()), secs);
        }
    }
}
