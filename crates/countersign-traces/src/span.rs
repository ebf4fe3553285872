//! Every span there is. None has a path, a query, an address, a name that a client gave, or a value of a statement.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::TARGET;

const TRACE_PARENT: &str = "traceparent";

/// A request, as a part of the trace that its headers name. What is `Empty` is for whoever knows it to record.
#[must_use]
pub fn request(headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "request",
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "http.request.method" = Empty,
        "http.route" = Empty,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
        "user.id" = Empty,
        "request.id" = Empty,
    );
    if !span.is_disabled() {
        // It was made just now; so nothing can be in the way.
        let _ = span.set_parent(
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Parent(headers)),
        );
    }
    span
}

/// Names a request's span, now that its route is known.
pub fn is_of_route(span: &Span, method: &str, route: &str) {
    // The library takes a name by a field only before the first span below has begun.
    span.context().span().update_name(format!("{method} {route}"));
    span.record("http.request.method", method);
    span.record("http.route", route);
}

/// The id of the trace that a request's span is a part of.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// A statement of the database: its text, which has no values in it.
#[must_use]
pub fn statement(system: &'static str, sql: &'static str) -> Span {
    let within = Span::current();
    if within.is_none() {
        return within;
    }
    let name = sql.split_whitespace().next().unwrap_or_default();
    tracing::info_span!(
        target: TARGET,
        parent: &within,
        "statement",
        "otel.name" = name,
        "otel.kind" = "client",
        "db.system.name" = system,
        "db.query.text" = sql,
    )
}

/// Several statements that are committed together, from waiting for their turn to the commit.
#[must_use]
pub fn transaction(system: &'static str) -> Span {
    let within = Span::current();
    if within.is_none() {
        return within;
    }
    tracing::info_span!(target: TARGET, parent: &within, "transaction", "db.system.name" = system)
}

/// Waiting for others, and then for the answer to the statement that is asked for all of them.
#[must_use]
pub fn batch() -> Span {
    let within = Span::current();
    if within.is_none() {
        return within;
    }
    tracing::info_span!(target: TARGET, parent: &within, "batch", "db.system.name" = "postgresql")
}

/// Waiting for a hashing worker.
#[must_use]
pub fn hashing_wait(within: &Span) -> Span {
    if within.is_none() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, parent: within, "hashing wait")
}

/// The work of a hashing worker.
#[must_use]
pub fn hashing_work(within: &Span) -> Span {
    if within.is_none() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, parent: within, "hashing work")
}

/// `traceparent` and nothing else: `tracestate` may hold anything that a client likes, and we call nobody to pass it to.
struct Parent<'a>(&'a HeaderMap);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACE_PARENT { self.0.get(TRACE_PARENT)?.to_str().ok() } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACE_PARENT]
    }
}
