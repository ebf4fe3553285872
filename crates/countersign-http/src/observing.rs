//! What is counted and logged of each request, by its route. The path is neither: anybody may make up as many as they
//! like, and with a query it may hold what is nobody's business.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign_auth::{Health, Verdict};
use countersign_domain::UserId;
use countersign_metrics::{Metrics, Outcome, Route as Counted};
use countersign_traces::span;
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use http_body_util::Full;
use tracing::Span;
use tracing::field::Empty;

use crate::error::Code;
use crate::health::{self, Probe};
use crate::routes::{DOCUMENTS, ENDPOINTS, Route};
use crate::seen::{REQUEST_ID, RequestIds, Seen, trace_id};

/// The statuses of answers that are no refusals; any other counts as the last.
const STATUSES: [u16; 7] = [200, 201, 202, 204, 301, 304, 500];
/// Each code, and each of these statuses.
const OUTCOMES: usize = Code::ALL.len() + STATUSES.len();
/// What stands for a path that is none of ours.
const NO_ROUTE: &str = "none";

/// Counts and logs requests.
pub(crate) struct Observer {
    metrics: Arc<Metrics>,
    ids: RequestIds,
    /// Whether there is a line for each request.
    access_log: bool,
    endpoints: [Counted; ENDPOINTS.len()],
    documents: [Counted; DOCUMENTS.len()],
    alive: Counted,
    ready: Counted,
    none: Counted,
}

impl Observer {
    pub(crate) fn new(metrics: &Arc<Metrics>, access_log: bool) -> Self {
        let route = |name| metrics.requests.route(name, OUTCOMES);
        Self {
            endpoints: ENDPOINTS.map(|(path, _)| route(path)),
            documents: DOCUMENTS.map(|document| route(document.path)),
            alive: route(health::ALIVE),
            ready: route(health::READY),
            none: route(NO_ROUTE),
            metrics: Arc::clone(metrics),
            ids: RequestIds::new(),
            access_log,
        }
    }

    /// A request that has just come.
    pub(crate) fn see(&self, headers: &HeaderMap, may_name: impl FnOnce() -> bool) -> Seen {
        Seen::now(headers, &self.ids, may_name)
    }

    /// What a route is called where it is counted.
    pub(crate) fn name_of(&self, route: &Route<'_>) -> &'static str {
        self.counted(route).name()
    }

    /// In which what is said of a request is logged, so that it can be told whose it is.
    pub(crate) fn span(&self, seen: &Seen, head: &Parts) -> Span {
        if self.access_log { named_span(seen, head) } else { Span::none() }
    }

    /// Says something of a request that has to be told with the request's id even where there is no line for each.
    pub(crate) fn tell(&self, seen: &Seen, head: &Parts, say: impl FnOnce()) {
        if self.access_log { say() } else { named_span(seen, head).in_scope(say) }
    }

    /// Counts and logs a request, and passes its answer on.
    pub(crate) fn answered(
        &self,
        seen: &Seen,
        route: &Route<'_>,
        method: &Method,
        mut answer: Response<Full<Bytes>>,
    ) -> Response<Full<Bytes>> {
        let (counted, outcome, took) = (self.counted(route), outcome(&answer), seen.began.elapsed());
        counted.add(outcome, took);
        trace(seen, counted.name(), method, outcome);
        if self.access_log {
            log(counted.name(), matches!(route, Route::Probe(_)), method, outcome, took, seen.user());
        }
        answer.headers_mut().insert(REQUEST_ID, seen.id_header());
        answer
    }

    /// What a check of everything came to.
    pub(crate) fn found(&self, found: Health) {
        let health = &self.metrics.health;
        health.ready.set(found.is_good().into());
        let gauges = [
            (&health.database, found.database),
            (&health.migrations, found.migrations),
            (&health.keys, found.keys),
            (&health.disk, found.disk),
        ];
        for (gauge, verdict) in gauges {
            gauge.set(matches!(verdict, Verdict::Bad(_)).into());
        }
    }

    fn counted(&self, route: &Route<'_>) -> &Counted {
        let counted = match route {
            Route::Endpoint(number, ..) => self.endpoints.get(*number),
            Route::Document(number) => self.documents.get(*number),
            Route::Probe(Probe::Alive) => Some(&self.alive),
            Route::Probe(Probe::Ready) => Some(&self.ready),
            Route::AppendSlash(_) | Route::NotFound => None,
        };
        counted.unwrap_or(&self.none)
    }
}

fn named_span(seen: &Seen, head: &Parts) -> Span {
    let span = tracing::info_span!("request", request.id = Empty, trace.id = Empty);
    if !span.is_disabled() {
        span.record("request.id", seen.id());
        match span::trace_id(&seen.span) {
            Some(of_ours) => span.record("trace.id", of_ours),
            None => span.record("trace.id", trace_id(&head.headers)),
        };
    }
    span
}

/// Says what a collector is told of a request.
fn trace(seen: &Seen, route: &'static str, method: &Method, outcome: Outcome) {
    let span = &seen.span;
    if span.is_disabled() {
        return;
    }
    let (method, Outcome { status, code, .. }) = (method_name(method), outcome);
    span::is_of_route(span, method, route);
    span.record("http.response.status_code", status);
    span.record("request.id", seen.id());
    if let Some(user) = seen.user() {
        span.record("user.id", tracing::field::display(user));
    }
    if !code.is_empty() {
        span.record("error.type", code);
    }
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
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

/// The line of a request. Probes come every second, and nobody looks for them.
fn log(
    route: &'static str,
    is_probe: bool,
    method: &Method,
    outcome: Outcome,
    took: Duration,
    user: Option<&UserId>,
) {
    let (status, code) = (outcome.status, Some(outcome.code).filter(|code| !code.is_empty()));
    let user = user.map(tracing::field::display);
    let (method, duration_ms) = (method_name(method), took.as_secs_f64() * 1000.0);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "countersign::access",
                route, method, status, duration_ms, user.id = user, error.code = code, "answered"
            )
        };
    }
    if is_probe { line!(debug) } else { line!(info) }
}

/// A method that there is; clients may make up others.
fn method_name(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::DELETE,
        Method::OPTIONS,
        Method::HEAD,
        Method::PUT,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    if known.contains(method) { method.as_str() } else { "other" }
}
