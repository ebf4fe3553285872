//! `GET /healthz`: that this process answers. `GET /readyz`: whether it should be sent requests, and if not, why.
//!
//! Both are for programs and answer without looking at anything: `/readyz` gives the outcome of a check that runs beside
//! the server, so that asking costs nothing. They are asked by address, so that `ALLOWED_HOSTS` does not count; nothing
//! in the answers depends on the host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use countersign_auth::{Health, Verdict};
use countersign_token::json::{Value, to_response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use tokio::time::Instant;

use crate::document::refusal_unless_read;
use crate::endpoint::object;
use crate::error::RETRY_AFTER_SECS;
use crate::response;

pub(crate) const ALIVE: &str = "/healthz";
pub(crate) const READY: &str = "/readyz";

/// An outcome that is older says nothing: the check hangs.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// A probe, for its readers.
pub(crate) struct About {
    pub(crate) path: &'static str,
    /// Its name in the OpenAPI document.
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// JSON, where it is as it should be.
    pub(crate) example: &'static str,
    /// The same where it is not, which is then a 503.
    pub(crate) bad_example: Option<&'static str>,
}

pub(crate) const PROBES: [About; 2] = [
    About {
        path: ALIVE,
        name: "alive",
        summary: "That this process answers",
        example: r#"{"status": "ok"}"#,
        bad_example: None,
    },
    About {
        path: READY,
        name: "ready",
        summary: "Whether it should be sent requests, and if not, why",
        example: r#"{"status": "ready",
                     "checks": {"database": "ok", "migrations": "ok", "keys": "ok", "disk": "ok"}}"#,
        bad_example: Some(
            r#"{"status": "unavailable", "checks": {"database": "it does not answer in time",
                "migrations": "unknown", "keys": "unknown", "disk": "ok"}}"#,
        ),
    },
];

/// Which of the two is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    Alive,
    Ready,
}

/// What `/readyz` answers with.
#[derive(Default)]
pub(crate) struct Readiness {
    is_draining: AtomicBool,
    /// The last check.
    checked: Mutex<Option<(Instant, Health)>>,
}

impl Readiness {
    /// What a check came to just now.
    pub(crate) fn found(&self, health: Health) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), health));
    }

    /// From now on nobody new is to come, and who is there is to go.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether who has been answered is to connect elsewhere.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// What it comes to, in a word or a few.
    pub(crate) fn word(&self) -> &'static str {
        let checked = self.checked();
        let fresh = checked.filter(|(when, _)| when.elapsed() < STALE_AFTER);
        match (self.is_draining(), fresh, checked) {
            (true, ..) => "draining",
            (_, None, None) => "starting",
            (_, None, Some(_)) => "the check does not end",
            (_, Some((_, health)), _) if health.is_good() => "ready",
            _ => "unavailable",
        }
    }

    /// The answer to a probe.
    pub(crate) fn answer(&self, probe: Probe, method: &Method) -> Response<Full<Bytes>> {
        if let Some(refused) = refusal_unless_read(method) {
            return refused;
        }
        let (status, body) = match probe {
            Probe::Alive => (StatusCode::OK, object([("status", "ok".into())]).into()),
            Probe::Ready => self.report(),
        };
        let mut head = response::framed(status)
            .header(CACHE_CONTROL, "no-store")
            .header(CONTENT_TYPE, "application/json");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            head = head.header(RETRY_AFTER, RETRY_AFTER_SECS);
        }
        response::finish(head, to_response(&body, None))
    }

    fn report(&self) -> (StatusCode, Value) {
        let word = self.word();
        let status = if word == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let checks = self.checked().map(|(_, health)| {
            let verdict = |(name, verdict): (&'static str, Verdict)| (name, said(verdict).into());
            ("checks", object(health.verdicts().map(verdict)).into())
        });
        (status, object([("status", word.into())].into_iter().chain(checks)).into())
    }

    fn checked(&self) -> Option<(Instant, Health)> {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok",
        Verdict::Unknown => "unknown",
        Verdict::Bad(why) => why,
    }
}
