//! How many attempts are allowed in which time, in Django REST Framework's notation: `5/min`, `100/day`.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

/// The words for a period that are understood; Django REST Framework looks at the first letter alone, by which `5/month`
/// would be five a minute.
const PERIODS: [(&[&str], i64); 4] = [
    (&["s", "sec", "second", "seconds"], 1),
    (&["m", "min", "minute", "minutes"], 60),
    (&["h", "hour", "hours"], 3600),
    (&["d", "day", "days"], 86_400),
];
const MOST: u32 = 1_000_000;

/// So many attempts in any one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    attempts: u32,
    period_secs: i64,
}

/// What a text must be to be a [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateError;

impl Rate {
    /// How many.
    #[must_use]
    pub fn attempts(self) -> u32 {
        self.attempts
    }

    /// In which time.
    #[must_use]
    pub fn period(self) -> SignedDuration {
        SignedDuration::from_secs(self.period_secs)
    }

    /// So many times as many in the same time.
    #[must_use]
    pub fn times(self, factor: u32) -> Self {
        Self { attempts: self.attempts.saturating_mul(factor), ..self }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (attempts, period) = text.trim().split_once('/').ok_or(RateError)?;
        let attempts = attempts.trim().parse().ok().filter(|attempts| (1..=MOST).contains(attempts));
        let period = period.trim().to_ascii_lowercase();
        let known = PERIODS.iter().find(|(words, _)| words.contains(&period.as_str()));
        match (attempts, known) {
            (Some(attempts), Some((_, period_secs))) => Ok(Self { attempts, period_secs: *period_secs }),
            _ => Err(RateError),
        }
    }
}

impl fmt::Display for RateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a rate such as 5/min, 20/hour or 100/day, of at most {MOST}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_period_in_any_of_its_spellings() {
        for (text, attempts, secs) in [
            ("5/min", 5, 60),
            ("100/day", 100, 86_400),
            ("3/s", 3, 1),
            ("10/second", 10, 1),
            (" 20 / Hours ", 20, 3600),
            ("1/d", 1, 86_400),
            ("1000000/m", 1_000_000, 60),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.attempts(), rate.period().as_secs()), (attempts, secs), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_months_too() {
        for text in [
            "",
            "5",
            "5/",
            "/min",
            "0/min",
            "-1/min",
            "5/month",
            "5/week",
            "1.5/min",
            "1000001/day",
            "5/min/2",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }
}
