//! Looks at everything that is needed to serve, once a second; for `/readyz`, the log, and systemd's watchdog.

use std::convert::Infallible;
use std::time::Duration;

use countersign_auth::{Auth, Health, Verdict};
use countersign_http::Service;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::systemd;
use crate::config::Config;

const INTERVAL: Duration = Duration::from_secs(1);

/// The last look, and what it is for.
pub struct Watch {
    database: String,
    min_free_disk: u64,
    last: watch::Sender<Option<Health>>,
}

impl Watch {
    /// Nothing is looked at yet.
    pub fn new(config: &Config) -> Self {
        let (database, min_free_disk) = (config.database.to_string(), config.min_free_disk);
        Self { database, min_free_disk, last: watch::Sender::new(None) }
    }

    /// Looks once; a change is told.
    pub async fn look(&self, service: &Service) {
        let health = service.auth().health(self.min_free_disk).await;
        service.found(health);
        let before = self.last.send_replace(Some(health));
        if before != Some(health) {
            self.tell(before.as_ref(), &health, service.auth());
        }
    }

    /// Says again how it stands, for `systemctl status`.
    pub fn tell_manager(&self) {
        if let Some(health) = &*self.last.borrow() {
            systemd::status(&in_words(health));
        }
    }

    fn tell(&self, before: Option<&Health>, health: &Health, auth: &Auth) {
        if health.is_good() {
            if before.is_some() {
                tracing::info!("ready again");
            }
        } else {
            tracing::error!("{}", in_words(health));
        }
        if let (Verdict::Bad(_), Some(free)) = (health.disk, auth.free_disk_bytes()) {
            let (free, needed) = (free >> 20, self.min_free_disk >> 20);
            let database = &self.database;
            tracing::error!(
                "the disk of {database} has {free} MiB left, and MIN_FREE_DISK_MIB asks for {needed}: make room, or lower it"
            );
        }
        self.tell_manager();
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

fn in_words(health: &Health) -> String {
    if health.is_good() {
        return "ready".to_owned();
    }
    let bad = health.verdicts().into_iter().filter_map(|(name, verdict)| match verdict {
        Verdict::Bad(why) => Some(format!("{name}: {why}")),
        Verdict::Good | Verdict::Unknown => None,
    });
    format!("not ready: {}", bad.collect::<Vec<_>>().join("; "))
}
