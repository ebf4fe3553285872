//! Looks at everything that is needed to serve, once a second; for `/readyz`, the log, and systemd's watchdog.

use std::convert::Infallible;
use std::time::Duration;

use countersign_auth::{Health, Verdict};
use countersign_http::Service;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::systemd;

const INTERVAL: Duration = Duration::from_secs(1);

/// The last look, and what it is for.
pub struct Watch {
    min_free_disk: u64,
    last: watch::Sender<Option<Health>>,
}

impl Watch {
    /// Nothing is looked at yet.
    pub fn new(min_free_disk: u64) -> Self {
        Self { min_free_disk, last: watch::Sender::new(None) }
    }

    /// Looks once; a change is told.
    pub async fn look(&self, service: &Service) {
        let health = service.auth().health(self.min_free_disk).await;
        service.found(health);
        let before = self.last.send_replace(Some(health));
        if before != Some(health) {
            tell(before.as_ref(), &health);
        }
    }

    /// Looks again and again, for ever: to be run beside the server.
    pub async fn keep_looking(&self, service: &Service) -> Infallible {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.look(service).await;
        }
    }

    /// Tells the watchdog that we live, unless a new process would do better. It runs in one task with what accepts
    /// connections, so that it says nothing when that is stuck.
    pub async fn feed_watchdog(&self) -> Infallible {
        let Some(deadline) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
        let mut interval = tokio::time::interval(deadline / 3);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if !self.last.borrow().is_some_and(|health| health.is_for_a_restart) {
                systemd::alive();
            }
        }
    }
}

fn tell(before: Option<&Health>, health: &Health) {
    let bad = health.verdicts().into_iter().filter_map(|(name, verdict)| match verdict {
        Verdict::Bad(why) => Some(format!("{name}: {why}")),
        Verdict::Good | Verdict::Unknown => None,
    });
    let bad = bad.collect::<Vec<_>>().join("; ");
    if health.is_good() {
        if before.is_some() {
            tracing::info!("ready again");
        }
        systemd::status("ready");
    } else {
        tracing::error!("not ready: {bad}");
        systemd::status(&format!("not ready: {bad}"));
    }
}
