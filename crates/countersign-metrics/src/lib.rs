//! What Countersign counts and times, declared once: the floors above hold the handles and add to them, and [`Metrics::text`]
//! writes all of it as Prometheus reads it.
//!
//! Labels come from small sets that are known when the program is built; no path, name or address is ever one. A handle is
//! an atomic or a lock that is held for an addition, and is looked up once.

mod declaring;
mod events;
mod form;
#[cfg(test)]
mod page;
mod requests;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

#[cfg(test)]
use self::declaring::Declared;
use self::declaring::Declaring;
pub use self::events::Events;
pub use self::requests::{Outcome, Requests, Route};

pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::histogram::Histogram;

/// A number that goes up and down.
pub type Gauge = prometheus_client::metrics::gauge::Gauge;

pub use self::form::Form;

const UP_TO_TEN_SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const UP_TO_A_BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Everything that is measured, of one service.
pub struct Metrics {
    registry: Registry,
    #[cfg(test)]
    declared: Vec<Declared>,
    /// Requests by route.
    pub requests: Requests,
    /// Connections that are open.
    pub connections: Gauge,
    /// The hashing workers.
    pub hashing: Hashing,
    /// The database.
    pub database: Database,
    /// Logins by how they ended.
    pub logins: Logins,
    /// Attempts that were refused because there were too many, by the budget that was used up.
    pub throttled: Throttled,
    /// Registrations by how they ended.
    pub registrations: Registrations,
    /// Refreshes by how they ended.
    pub refreshes: Refreshes,
    /// Sessions that were ended here, by why.
    pub sessions_ended: SessionsEnded,
    /// Sessions that have neither ended nor expired.
    pub sessions_live: Gauge,
    /// Mail, by what became of it.
    pub mails: Mails,
    /// Mail that waits to be sent.
    pub mails_waiting: Gauge,
    /// Events of the audit log, by what they are.
    pub events: Events,
    /// Keys by state: how many.
    pub keys: ByKeyState,
    /// Keys by state: when the one that is longest in it came into it, in seconds since the epoch; 0 if unknown.
    pub keys_changed: ByKeyState,
    /// What `/readyz` looks at.
    pub health: Health,
    /// When the use-cases were started, in seconds since the epoch.
    pub started: Gauge,
}

/// The hashing workers.
#[derive(Clone)]
pub struct Hashing {
    /// Passwords that wait.
    pub queue: Gauge,
    /// Passwords that were turned away, because too many waited or this one did for too long.
    pub rejected: Counter,
    /// How long each waited, in seconds.
    pub wait: Histogram,
    /// How long each then took, in seconds.
    pub work: Histogram,
}

/// The database.
#[derive(Clone)]
pub struct Database {
    /// Writes that shared a commit.
    pub writes_per_commit: Histogram,
    /// Questions to PostgreSQL that went together.
    pub batch_lengths: BatchLengths,
    /// Connections of the pool that are in use.
    pub in_use: Gauge,
    /// Connections of the pool that are open and idle.
    pub idle: Gauge,
    /// Connections that the pool may have.
    pub limit: Gauge,
    /// Callers that wait for a connection.
    pub waiting: Gauge,
}

/// Questions to PostgreSQL that went together, by what they are about.
#[derive(Clone)]
pub struct BatchLengths {
    /// What requests read.
    pub reads: Histogram,
    /// Exchanges of refresh tokens.
    pub exchanges: Histogram,
}

/// Logins by how they ended.
#[expect(missing_docs, reason = "the names are the words")]
pub struct Logins {
    pub done: Counter,
    pub unknown_user: Counter,
    pub wrong_password: Counter,
    pub inactive: Counter,
}

/// Attempts that were refused because there were too many, by the budget that was used up.
#[expect(missing_docs, reason = "the names are the words")]
pub struct Throttled {
    pub login_global: Counter,
    pub login_network: Counter,
    pub login_address: Counter,
    pub login_account: Counter,
    pub login_device: Counter,
    pub register_global: Counter,
    pub register_network: Counter,
    pub register_address: Counter,
    pub token_network: Counter,
    pub token_address: Counter,
    pub mailbox: Counter,
}

/// Registrations by how they ended.
#[expect(missing_docs, reason = "the names are the words")]
pub struct Registrations {
    pub done: Counter,
    pub refused: Counter,
}

/// Refreshes by how they ended.
#[expect(missing_docs, reason = "the names are the words")]
pub struct Refreshes {
    pub done: Counter,
    pub repeated: Counter,
    pub reuse_detected: Counter,
    pub refused: Counter,
    pub failed: Counter,
}

/// Sessions that were ended, by why.
#[expect(missing_docs, reason = "the names are the words")]
pub struct SessionsEnded {
    pub logged_out: Counter,
    pub blacklisted: Counter,
    pub refresh_token_reused: Counter,
}

/// Mail, by what became of it.
#[expect(missing_docs, reason = "the names are the words")]
pub struct Mails {
    pub sent: Counter,
    pub postponed: Counter,
    pub refused: Counter,
    pub given_up: Counter,
    pub dropped: Counter,
}

/// One number for each state that a key may be in and still counts.
#[expect(missing_docs, reason = "the names are the words")]
pub struct ByKeyState {
    pub next: Gauge,
    pub signing: Gauge,
    pub verifying: Gauge,
}

/// What `/readyz` looks at: whether all is well, and what is not.
#[expect(missing_docs, reason = "the names are the words")]
pub struct Health {
    pub ready: Gauge,
    pub database: Gauge,
    pub migrations: Gauge,
    pub keys: Gauge,
    pub disk: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut to = Declaring::default();
        to.build_info(env!("CARGO_PKG_VERSION"));
        let started =
            to.gauge("start_time_seconds", "When this process began to serve, in seconds since the epoch.");
        Self {
            requests: Requests::declare(&mut to),
            connections: to.gauge("http_connections", "Connections of clients that are open."),
            hashing: Hashing::declare(&mut to),
            database: Database::declare(&mut to),
            logins: Logins::declare(&mut to),
            throttled: Throttled::declare(&mut to),
            registrations: Registrations::declare(&mut to),
            refreshes: Refreshes::declare(&mut to),
            sessions_ended: SessionsEnded::declare(&mut to),
            sessions_live: to.gauge(
                "sessions_live",
                "Sessions in the database that have neither ended nor expired, counted once a minute.",
            ),
            mails: Mails::declare(&mut to),
            mails_waiting: to.gauge(
                "mails_waiting",
                "Mail in the database that waits to be sent, by any server, or is being sent; looked at by a server with `REGISTRATION_PRIVACY`.",
            ),
            events: Events::declare(&mut to),
            keys: ByKeyState::declare(
                &mut to,
                "keys",
                "Signing keys by their state, looked at once a minute.",
            ),
            keys_changed: ByKeyState::declare(
                &mut to,
                "key_state_since_seconds",
                "When the key that has been longest in this state came into it, in seconds since the epoch; 0 where \
                 there is none or it is not known, as for `SECRET_KEY`.",
            ),
            health: Health::declare(&mut to),
            started,
            #[cfg(test)]
            declared: to.declared,
            registry: to.registry,
        }
    }
}

impl Metrics {
    /// All of it, in this form.
    #[must_use]
    pub fn text(&self, form: Form) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => form.of(text),
            Err(std::fmt::Error) => unreachable!("a string takes any text"),
        }
    }
}

impl Hashing {
    fn declare(to: &mut Declaring) -> Self {
        Self {
            queue: to.gauge("hashing_queue_length", "Passwords that wait for a hashing worker."),
            rejected: to.counter(
                "hashing_rejected",
                "Passwords that were turned away with 503, because too many waited or this one did for too long.",
            ),
            wait: to.histogram(
                "hashing_wait_seconds",
                "How long a password waited for a hashing worker.",
                &UP_TO_TEN_SECONDS,
            ),
            work: to.histogram(
                "hashing_work_seconds",
                "How long a hashing worker then took for it.",
                &UP_TO_TEN_SECONDS,
            ),
        }
    }
}

impl Database {
    fn declare(to: &mut Declaring) -> Self {
        let writes_per_commit = to.histogram(
            "database_writes_per_commit",
            "Writes that shared one commit, on SQLite.",
            &UP_TO_A_BATCH,
        );
        let [reads, exchanges] = to.histograms(
            "database_batch_length",
            "Questions that went to PostgreSQL together, as one statement.",
            "of",
            ["reads", "exchanges"],
            || Histogram::new(UP_TO_A_BATCH),
        );
        let batch_lengths = BatchLengths { reads, exchanges };
        let [in_use, idle] = to.gauges(
            "database_connections",
            "Connections to PostgreSQL, of the pool.",
            "state",
            ["in_use", "idle"],
        );
        let limit =
            to.gauge("database_connections_limit", "Connections to PostgreSQL that the pool may have.");
        let waiting = to.gauge("database_waiting", "Callers that wait for a connection of the pool.");
        Self { writes_per_commit, batch_lengths, in_use, idle, limit, waiting }
    }
}

impl Logins {
    fn declare(to: &mut Declaring) -> Self {
        let [done, unknown_user, wrong_password, inactive] = to.counters(
            "logins",
            "Logins, by how they ended. What clients are told does not depend on why they were refused.",
            "outcome",
            ["done", "unknown_user", "wrong_password", "inactive"],
        );
        Self { done, unknown_user, wrong_password, inactive }
    }
}

impl Throttled {
    fn declare(to: &mut Declaring) -> Self {
        let [
            login_global,
            login_network,
            login_address,
            login_account,
            login_device,
            register_global,
            register_network,
            register_address,
            token_network,
            token_address,
            mailbox,
        ] = to.counters(
            "throttled",
            "Requests that were refused with 429 because there had been too many, and messages that were not sent for that, by the budget that was used up.",
            "budget",
            [
                "login_global",
                "login_network",
                "login_address",
                "login_account",
                "login_device",
                "register_global",
                "register_network",
                "register_address",
                "token_network",
                "token_address",
                "mailbox",
            ],
        );
        Self {
            login_global,
            login_network,
            login_address,
            login_account,
            login_device,
            register_global,
            register_network,
            register_address,
            token_network,
            token_address,
            mailbox,
        }
    }
}

impl Registrations {
    fn declare(to: &mut Declaring) -> Self {
        let [done, refused] =
            to.counters("registrations", "Registrations, by how they ended.", "outcome", ["done", "refused"]);
        Self { done, refused }
    }
}

impl Refreshes {
    fn declare(to: &mut Declaring) -> Self {
        let [done, repeated, reuse_detected, refused, failed] = to.counters(
            "refreshes",
            "Refreshes, by how they ended. `repeated`: a tab that was overtaken, or a lost answer, got the same successor \
             again. `reuse_detected`: an exchanged token came back later; its session has ended. `failed`: it is not the \
             token's fault.",
            "outcome",
            ["done", "repeated", "reuse_detected", "refused", "failed"],
        );
        Self { done, repeated, reuse_detected, refused, failed }
    }
}

impl SessionsEnded {
    fn declare(to: &mut Declaring) -> Self {
        let [logged_out, blacklisted, refresh_token_reused] = to.counters(
            "sessions_ended",
            "Sessions that this server ended, by why. What the command line ends is not among them: it is a process of its own, \
             and the database is all that it shares with a server. `countersign_sessions_live` falls by them.",
            "reason",
            ["logged_out", "blacklisted", "refresh_token_reused"],
        );
        Self { logged_out, blacklisted, refresh_token_reused }
    }
}

impl Mails {
    fn declare(to: &mut Declaring) -> Self {
        let [sent, postponed, refused, given_up, dropped] = to.counters(
            "mails",
            "Mail that this server had in hand, by what became of it. `postponed`: it is tried again later. `refused`: the mail \
             server will never take it. `given_up`: it could not be sent for a day, or gave its place to another. `dropped`: nothing was to be written.",
            "outcome",
            ["sent", "postponed", "refused", "given_up", "dropped"],
        );
        Self { sent, postponed, refused, given_up, dropped }
    }
}

impl ByKeyState {
    fn declare(to: &mut Declaring, name: &'static str, help: &'static str) -> Self {
        let [next, signing, verifying] = to.gauges(name, help, "state", ["next", "signing", "verifying"]);
        Self { next, signing, verifying }
    }
}

impl Health {
    fn declare(to: &mut Declaring) -> Self {
        let ready = to.gauge(
            "ready",
            "Whether requests can be served: 1 if all that `/readyz` looks at is well, else 0.",
        );
        let [database, migrations, keys, disk] = to.gauges(
            "check_failing",
            "What `/readyz` looks at: 1 if it is found to be wrong; 0 if it is well, or cannot be told for another that fails.",
            "check",
            ["database", "migrations", "keys", "disk"],
        );
        Self { ready, database, migrations, keys, disk }
    }
}
