//! Requests by route: how many, with which outcome, how long.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::UP_TO_TEN_SECONDS;
use crate::declaring::{Declaring, Labels};

/// How requests are counted; the routes are for the wire to know.
pub struct Requests {
    counted: Family<Labels, Counter, fn() -> Counter>,
    timed: Family<Labels, Histogram, fn() -> Histogram>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The place of this outcome among all that there are.
    pub index: usize,
    /// The status.
    pub status: u16,
    /// The code of the refusal; empty where it is none.
    pub code: &'static str,
}

/// The handles of one route, so that no request looks for one.
pub struct Route {
    name: &'static str,
    counted: Family<Labels, Counter, fn() -> Counter>,
    duration: Histogram,
    /// Made when they are first needed: most refusals never come to most routes.
    outcomes: Box<[OnceLock<Counter>]>,
}

impl Requests {
    pub(crate) fn declare(to: &mut Declaring) -> Self {
        let counted = to.family(
            "http_requests",
            "counter",
            "Requests that were answered, by route, status and the code of the refusal (`docs/errors.md`).",
            "`route`: a path, as in `/openapi.json`, or `none`; `status`; `code`, or empty".to_owned(),
            Counter::default as fn() -> Counter,
        );
        let timed = to.family(
            "http_request_duration_seconds",
            "histogram",
            "How long it took from a request's head to its answer.",
            "`route`".to_owned(),
            (|| Histogram::new(UP_TO_TEN_SECONDS)) as fn() -> Histogram,
        );
        Self { counted, timed }
    }

    /// The handles of the route `name`, for so many outcomes.
    #[must_use]
    pub fn route(&self, name: &'static str, outcomes: usize) -> Route {
        Route {
            name,
            counted: self.counted.clone(),
            duration: self.timed.get_or_create_owned(&vec![("route", name.into())]),
            outcomes: (0..outcomes).map(|_| OnceLock::new()).collect(),
        }
    }
}

impl Route {
    /// What stands for the route in metrics and in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Counts one request.
    pub fn add(&self, outcome: Outcome, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        if let Some(counter) = self.outcomes.get(outcome.index) {
            counter.get_or_init(|| self.counter(outcome)).inc();
        }
    }

    fn counter(&self, outcome: Outcome) -> Counter {
        self.counted.get_or_create_owned(&vec![
            ("route", self.name.into()),
            ("status", outcome.status.to_string().into()),
            ("code", outcome.code.into()),
        ])
    }
}
