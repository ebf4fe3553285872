//! What is counted of each request, by its route. The path is not: anybody may make up as many as they like.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use countersign_auth::{Health, Verdict};
use countersign_metrics::{Metrics, Outcome, Route as Counted};
use http::Response;
use http_body_util::Full;

use crate::error::Code;
use crate::health::{self, Probe};
use crate::routes::{DOCUMENTS, ENDPOINTS, Route};

/// The statuses of answers that are no refusals; any other counts as the last.
const STATUSES: [u16; 6] = [200, 201, 204, 301, 304, 500];
/// Each code, and each of these statuses.
const OUTCOMES: usize = Code::ALL.len() + STATUSES.len();
/// What stands for a path that is none of ours.
const NO_ROUTE: &str = "none";

/// Counts requests.
pub(crate) struct Observer {
    metrics: Arc<Metrics>,
    endpoints: [Counted; ENDPOINTS.len()],
    documents: [Counted; DOCUMENTS.len()],
    alive: Counted,
    ready: Counted,
    none: Counted,
}

/// A request that has begun.
pub(crate) struct Seen {
    began: Instant,
}

impl Seen {
    pub(crate) fn now() -> Self {
        Self { began: Instant::now() }
    }
}

impl Observer {
    pub(crate) fn new(metrics: &Arc<Metrics>) -> Self {
        let route = |name| metrics.requests.route(name, OUTCOMES);
        Self {
            endpoints: ENDPOINTS.map(|(path, _)| route(path)),
            documents: DOCUMENTS.map(|document| route(document.path)),
            alive: route(health::ALIVE),
            ready: route(health::READY),
            none: route(NO_ROUTE),
            metrics: Arc::clone(metrics),
        }
    }

    /// Counts a request, and passes its answer on.
    pub(crate) fn answered(
        &self,
        seen: &Seen,
        route: &Route<'_>,
        answer: Response<Full<Bytes>>,
    ) -> Response<Full<Bytes>> {
        self.counted(route).add(outcome(&answer), seen.began.elapsed());
        answer
    }

    /// What a check of everything came to.
    pub(crate) fn found(&self, found: Health) {
        let health = &self.metrics.health;
        let gauges = [
            (&health.database, found.database),
            (&health.migrations, found.migrations),
            (&health.keys, found.keys),
            (&health.disk, found.disk),
        ];
        for (gauge, verdict) in gauges {
            gauge.set((verdict == Verdict::Good).into());
        }
    }

    fn counted(&self, route: &Route<'_>) -> &Counted {
        let counted = match route {
            Route::Endpoint(number, ..) => self.endpoints.get(*number),
            Route::Document(number, _) => self.documents.get(*number),
            Route::Probe(Probe::Alive) => Some(&self.alive),
            Route::Probe(Probe::Ready) => Some(&self.ready),
            Route::AppendSlash(_) | Route::NotFound => None,
        };
        counted.unwrap_or(&self.none)
    }
}

/// How a request ended: by its code where it was refused, else by its status.
fn outcome(answer: &Response<Full<Bytes>>) -> Outcome {
    let status = answer.status().as_u16();
    if let Some(code) = answer.extensions().get::<Code>() {
        return Outcome { index: *code as usize, status, code: code.name() };
    }
    let place = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
    Outcome { index: Code::ALL.len() + place, status, code: "" }
}
