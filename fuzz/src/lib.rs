//! What several targets need: a service in this process, and the pieces that an input is made of.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use countersign_auth::{Auth, Clock, ConfiguredKeys, ManualClock, Rules, Throttles};
use countersign_domain::PasswordPolicy;
use countersign_http::{
    AllowedHosts, ForwardedHeader, Origins, Renderer, Service, Settings, TokenCookies, TrustedProxies,
};
use countersign_password::{Algorithm as HashAlgorithm, Hashers, Limits, Preferred};
use countersign_store::{DatabaseUrl, PoolOptions, Store};
use countersign_token::Settings as TokenSettings;
use jiff::SignedDuration;
use tempfile::TempDir;

/// Of the service; no seed is signed with it.
pub const SECRET_KEY: &[u8] = b"a secret of this process alone, of sufficient length";
/// When everything happens.
pub const NOW: &str = "2026-01-01T12:00:00Z";

/// The input before the first of these bytes, and what comes after; all of it and nothing where there is none.
pub fn split_at(data: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == separator);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// A service with every parser of requests switched on: cookies, marks of devices, trusted proxies, pages.
pub struct World {
    /// Two on one database: the proxies before one write `X-Forwarded-For`, those before the other `Forwarded`.
    pub services: [Arc<Service>; 2],
    _directory: TempDir,
}

impl World {
    /// On a database in memory, where there is such a place: nothing has to last.
    pub fn new() -> Self {
        let directory =
            tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let url = DatabaseUrl::Sqlite(directory.path().join("db.sqlite3"));
        let services = [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded]
            .map(|header| Arc::new(Service::new(auth(&url), settings(header))));
        Self { services, _directory: directory }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn auth(url: &DatabaseUrl) -> Auth {
    let store = at_once(Store::open(url, &PoolOptions::default())).expect("a database");
    let clock = Clock::Manual(ManualClock::at(NOW.parse().expect("a time")));
    let cheap = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
    let hashers = Hashers::new(cheap, &HashAlgorithm::DJANGO_DEFAULT, Limits::default()).expect("valid");
    let sessions = TokenSettings { session_claim: Some("sid".to_owned()), ..TokenSettings::default() };
    let keys = ConfiguredKeys::new(sessions, SECRET_KEY).expect("a key");
    let known_device_lifetime = SignedDuration::from_hours(24);
    let throttles = Throttles { is_on: true, known_device_lifetime, ..Throttles::default() };
    let rules = Rules { throttles, ..Rules::default() };
    at_once(Auth::start(store, hashers, keys, PasswordPolicy::default(), rules, clock)).expect("threads")
}

fn settings(header: ForwardedHeader) -> Settings {
    let proxies = ["192.0.2.0/24", "2001:db8::/32"].map(|network| network.parse().expect("a network"));
    Settings {
        allowed_hosts: AllowedHosts::parse(".auth.example", false),
        auth_header_types: vec!["Bearer".to_owned(), "JWT".to_owned()],
        auth_header_name: http::header::AUTHORIZATION,
        renderers: vec![Renderer::Json, Renderer::Api],
        cors: None,
        token_cookies: Some(TokenCookies {
            trusted_origins: Origins::named(&["https://app.example".to_owned()]).expect("an origin"),
            access_lifetime: SignedDuration::from_mins(5),
            refresh_lifetime: SignedDuration::from_hours(24),
        }),
        trusted_proxies: TrustedProxies::new(proxies.to_vec(), header),
        secure_cookies: true,
        access_log: true,
    }
}

/// What a future comes to that waits for nothing, as on SQLite.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("on SQLite there is nothing to wait for"),
    }
}
