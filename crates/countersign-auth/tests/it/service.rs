//! A service to act on, and the people who act.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use countersign_auth::{
    Auth, Caller, Clock, ConfiguredKeys, Error, LoginOutcome, ManualClock, Origin, Refreshed, Rules,
    SlidingToken, StartError, Submitted,
};
use countersign_domain::{Client, PasswordHash, PasswordPolicy, RawText, Session, SessionId, User};
use countersign_password::{Algorithm, Hashers, Limits, Preferred, Salt, Workspace};
use countersign_store::{DatabaseUrl, Ended, OutstandingToken, PoolOptions, Store, TokensOf, UserChange};
use countersign_token::{Claims, Keys, Settings, Tokens};
use jiff::SignedDuration;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::cluster::{Cluster, Database};

pub const PASSWORD: &str = "correct horse battery";
pub const SECRET_KEY: &[u8] = b"a secret of the tests alone";
/// Simple JWT's lifetimes, in seconds.
pub const ACCESS_LIFETIME: i64 = 5 * 60;
pub const REFRESH_LIFETIME: i64 = 24 * 60 * 60;
pub const SLIDING_REFRESH_LIFETIME: i64 = 24 * 60 * 60;
/// What a preferred hash costs here, in the units of `Workspace::work`.
pub const ONE_HASH: u64 = 64;

const CHEAP: Preferred = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };

/// The settings of the original.
pub fn rules() -> Rules {
    Rules::default()
}

pub fn rotating(blacklist_after_rotation: bool) -> Rules {
    Rules { rotate_refresh_tokens: true, blacklist_after_rotation, ..rules() }
}

pub struct Service {
    pub auth: Auth,
    pub store: Store,
    pub clock: ManualClock,
    pub directory: Arc<TempDir>,
    /// Dropped last, as the store is connected to it.
    database: Option<Arc<Database>>,
}

impl Service {
    pub fn start(rules: Rules) -> Self {
        Self::start_hashing(rules, CHEAP, PasswordPolicy::new(Vec::new()))
    }

    pub fn start_hashing(rules: Rules, preferred: Preferred, policy: PasswordPolicy) -> Self {
        Self::start_all(rules, preferred, policy, 0)
    }

    /// Clocks may differ by so many seconds.
    pub fn start_with_leeway(leeway: i64) -> Self {
        Self::start_all(rules(), CHEAP, PasswordPolicy::new(Vec::new()), leeway)
    }

    /// Tokens exactly as Simple JWT makes them.
    pub fn start_without_sessions(rules: Rules) -> Self {
        let settings = Settings::default();
        Self::start_with(rules, CHEAP, PasswordPolicy::new(Vec::new()), settings)
    }

    /// Another process on the same database.
    pub fn beside(&self, rules: Rules) -> Self {
        let directory = Arc::clone(&self.directory);
        let store = open(&url(&directory));
        let policy = PasswordPolicy::new(Vec::new());
        Self::start_on(directory, store, self.clock.clone(), rules, CHEAP, policy, with_sessions(0))
    }

    /// Another process on the same database, with another `SECRET_KEY`, and these former ones.
    pub fn beside_with_key(&self, rules: Rules, key: &[u8], former: &[&[u8]]) -> Self {
        let (directory, store) = (Arc::clone(&self.directory), open(&url(&self.directory)));
        let hashers = Hashers::new(CHEAP, &Algorithm::ALL, Limits::default()).unwrap();
        let former = former.iter().map(|key| Zeroizing::new(key.to_vec())).collect();
        let keys = ConfiguredKeys::new(with_sessions(0), key).unwrap().with_fallbacks(former).unwrap();
        let (policy, clock) = (PasswordPolicy::new(Vec::new()), Clock::Manual(self.clock.clone()));
        let auth = at_once(Auth::start(store.clone(), hashers, keys, policy, rules, clock)).unwrap();
        Self { auth, store, clock: self.clock.clone(), directory, database: None }
    }

    /// A service on PostgreSQL, and another process on the same database; `None` where there is no PostgreSQL.
    pub async fn start_two_on_postgres(rules: Rules) -> Option<[Self; 2]> {
        Some(Self::start_two_on(Arc::new(Cluster::shared()?.database()), rules).await)
    }

    /// The same on a database of the caller's.
    pub async fn start_two_on(database: Arc<Database>, rules: Rules) -> [Self; 2] {
        let clock = ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap());
        let start = async || {
            let store = Store::open(&database.url().parse().unwrap(), &PoolOptions::default()).await.unwrap();
            let hashers = Hashers::new(CHEAP, &Algorithm::ALL, Limits::default()).unwrap();
            let keys = ConfiguredKeys::new(with_sessions(0), SECRET_KEY).unwrap();
            let (policy, time) = (PasswordPolicy::new(Vec::new()), Clock::Manual(clock.clone()));
            let auth = Auth::start(store.clone(), hashers, keys, policy, rules.clone(), time).await.unwrap();
            let directory = Arc::new(tempfile::tempdir().unwrap()); // nothing is in it
            Self { auth, store, clock: clock.clone(), directory, database: Some(Arc::clone(&database)) }
        };
        [start().await, start().await]
    }

    /// Changes its database under its hands. On PostgreSQL only.
    pub fn run(&self, sql: &str) {
        self.rows(sql);
    }

    /// A transaction of another program that has done this, until it is ended or dropped. On PostgreSQL only.
    pub async fn hold(&self, sql: &str) -> tokio_postgres::Client {
        let url = self.database.as_ref().expect("it is on PostgreSQL").url();
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
        tokio::spawn(connection);
        client.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
        client
    }

    /// What is in its database. On PostgreSQL only.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.database.as_ref().expect("it is on PostgreSQL").rows(sql)
    }

    fn start_all(rules: Rules, preferred: Preferred, policy: PasswordPolicy, leeway: i64) -> Self {
        Self::start_with(rules, preferred, policy, with_sessions(leeway))
    }

    fn start_with(rules: Rules, preferred: Preferred, policy: PasswordPolicy, settings: Settings) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let store = open(&url(&directory));
        let clock = ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap());
        Self::start_on(directory, store, clock, rules, preferred, policy, settings)
    }

    fn start_on(
        directory: Arc<TempDir>,
        store: Store,
        clock: ManualClock,
        rules: Rules,
        preferred: Preferred,
        policy: PasswordPolicy,
        settings: Settings,
    ) -> Self {
        let hashers = Hashers::new(preferred, &Algorithm::ALL, Limits::default()).unwrap();
        let keys = ConfiguredKeys::new(settings, SECRET_KEY).unwrap();
        let clock_to_read = Clock::Manual(clock.clone());
        let auth = at_once(Auth::start(store.clone(), hashers, keys, policy, rules, clock_to_read)).unwrap();
        Self { auth, store, clock, directory, database: None }
    }

    /// Another process on the same database, with these keys, at the same time.
    pub fn try_beside(&self, keys: ConfiguredKeys) -> Result<Self, StartError> {
        let store = open(&url(&self.directory));
        let hashers = Hashers::new(CHEAP, &Algorithm::ALL, Limits::default()).unwrap();
        let (policy, time) = (PasswordPolicy::new(Vec::new()), Clock::Manual(self.clock.clone()));
        let auth = at_once(Auth::start(store.clone(), hashers, keys, policy, rules(), time))?;
        let (clock, directory) = (self.clock.clone(), Arc::clone(&self.directory));
        Ok(Self { auth, store, clock, directory, database: None })
    }

    /// Registers, and logs in.
    pub async fn welcome(&self, username: &str) -> Person<'_> {
        self.register(username, PASSWORD).await.unwrap();
        let mut person = self.stranger(username);
        person.log_in().await.unwrap();
        person
    }

    /// Somebody who claims to be `username` and knows the usual password.
    pub fn stranger(&self, username: &str) -> Person<'_> {
        Person {
            service: self,
            username: username.to_owned(),
            password: PASSWORD.to_owned(),
            refresh: String::new(),
            access: String::new(),
        }
    }

    pub async fn register(&self, username: &str, password: &str) -> Result<User, Error> {
        let email = format!("{username}@example.com");
        self.auth.register(field(username), field(&email), field(password), &origin()).await
    }
}

/// Somebody with a password, and the tokens that were last handed out to them.
pub struct Person<'a> {
    service: &'a Service,
    pub username: String,
    pub password: String,
    pub refresh: String,
    pub access: String,
}

impl Person<'_> {
    /// The same person, with the same tokens, at another server.
    pub fn at<'b>(&self, service: &'b Service) -> Person<'b> {
        let Self { service: _, username, password, refresh, access } = self;
        let [username, password, refresh, access] = [username, password, refresh, access].map(Clone::clone);
        Person { service, username, password, refresh, access }
    }

    pub async fn log_in(&mut self) -> Result<(), Error> {
        let LoginOutcome::Done(pair) =
            self.service.auth.log_in(field(&self.username), field(&self.password), &origin(), &[]).await?;
        (self.refresh, self.access) = (pair.refresh, pair.access);
        Ok(())
    }

    pub async fn log_in_sliding(&mut self) -> Result<(), Error> {
        let LoginOutcome::Done(SlidingToken { token, .. }) = self
            .service
            .auth
            .log_in_sliding(field(&self.username), field(&self.password), &origin(), &[])
            .await?;
        self.access = token;
        Ok(())
    }

    /// Refreshes, and keeps what is handed out.
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let refreshed = self.present(&self.refresh).await?;
        self.access = refreshed.access;
        self.refresh = refreshed.refresh.unwrap_or_else(|| self.refresh.clone());
        Ok(())
    }

    /// Refreshes with this token, and keeps nothing.
    pub async fn present(&self, refresh: &str) -> Result<Refreshed, Error> {
        self.service.auth.refresh(field(refresh), &origin()).await
    }

    pub async fn blacklist(&self) -> Result<(), Error> {
        self.service.auth.blacklist(field(&self.refresh), &origin()).await.map(drop)
    }

    pub async fn verify(&self, token: &str) -> Result<(), Error> {
        self.service.auth.verify(field(token), &origin()).await.map(drop)
    }

    pub async fn whoami(&self) -> Result<String, Error> {
        Ok(self.caller().await?.user.username)
    }

    /// Who the service takes them for.
    pub async fn caller(&self) -> Result<Caller, Error> {
        self.service.auth.authenticate(&self.access, &origin()).await
    }

    pub async fn log_out(&self) -> Result<(), Error> {
        self.service.auth.log_out(&self.caller().await?, &origin()).await
    }

    pub async fn log_out_all(&self, except_current: bool) -> Result<Ended, Error> {
        self.service.auth.log_out_all(&self.caller().await?, except_current, &origin()).await
    }

    /// The session of their tokens, as it is stored.
    pub async fn session(&self) -> Session {
        let id = SessionId::parse(&claim(&self.refresh, "sid")).unwrap();
        self.service.store.find_session(&id).await.unwrap().unwrap()
    }

    pub async fn row(&self) -> User {
        self.service.store.find_user_by_username(&self.username).await.unwrap().unwrap()
    }

    /// The tokens recorded for them, oldest first.
    pub async fn recorded(&self) -> Vec<OutstandingToken> {
        self.service.store.outstanding_tokens(&TokensOf::User(self.row().await.id)).await.unwrap()
    }

    /// How many sessions they have.
    pub async fn sessions(&self) -> usize {
        self.service.auth.list_sessions(&self.row().await).await.unwrap().len()
    }

    /// Sets columns behind the back of the use-cases, as another process would.
    pub async fn change(&self, change: UserChange) {
        assert!(self.service.store.update_user(self.row().await.id, change).await.unwrap());
    }

    pub async fn store_hash(&self, hash: PasswordHash) {
        self.change(UserChange { password_hash: Some(hash), ..UserChange::default() }).await;
    }
}

/// What everybody comes with.
/// A request of that browser's.
pub fn origin() -> Origin<'static> {
    Origin::new(browser(), "a-request")
}

pub fn browser() -> Client {
    Client::new(Some("192.0.2.7".to_owned()), "a browser")
}

/// A text claim of a token, unchecked.
pub fn claim(token: &str, name: &str) -> String {
    let claims = claims(token);
    claims.get(name).and_then(|value| value.as_str()).unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// The claims of a token, unchecked.
pub fn claims(token: &str) -> Claims {
    let always = Settings { leeway: SignedDuration::from_hours(24 * 365), ..Settings::default() };
    Tokens::new(always, keys()).decode(token, "2026-01-01T12:00:00Z".parse().unwrap()).unwrap()
}

/// A token with these claims, signed with the key that a Django beside us has too.
pub fn sign(claims: &Claims) -> String {
    Tokens::new(Settings::default(), keys()).encode(claims)
}

fn keys() -> Keys {
    Keys::new(countersign_token::Algorithm::HS256, SECRET_KEY, b"").unwrap()
}

fn url(directory: &TempDir) -> DatabaseUrl {
    DatabaseUrl::Sqlite(directory.path().join("db.sqlite3"))
}

pub fn with_sessions(leeway: i64) -> Settings {
    let leeway = SignedDuration::from_secs(leeway);
    Settings { leeway, session_claim: Some("sid".to_owned()), ..Settings::default() }
}

#[expect(clippy::unnecessary_wraps, reason = "a submitted field may be wrong")]
pub fn field(text: &str) -> Submitted {
    Ok(RawText::from(text.to_owned()))
}

/// A hash of `password` as it was made in other times.
pub fn outdated_hash(password: &str) -> PasswordHash {
    let preferred = Preferred::Pbkdf2Sha256 { iterations: 1 };
    let hashers = Hashers::new(preferred, &[], Limits::default()).unwrap();
    PasswordHash::new(hashers.make(password, &Salt::from_random([7; 32]), &mut Workspace::default()))
}

/// The reason for which something was refused.
pub fn refusal<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.map(drop).map_err(|error| error.to_string()).expect_err("it is refused")
}

fn open(url: &DatabaseUrl) -> Store {
    at_once(Store::open(url, &PoolOptions::default())).unwrap()
}

/// What a future comes to that waits for nothing, as on SQLite.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    begin(future).1.expect("on SQLite there is nothing to wait for")
}

/// A request that has been begun, up to its first wait.
pub type Begun<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Begins a request, and gives it back with its answer if it has one at once.
pub fn begin<'a, T>(request: impl Future<Output = T> + 'a) -> (Begun<'a, T>, Option<T>) {
    let mut request: Begun<'a, T> = Box::pin(request);
    match request.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => (request, Some(answer)),
        Poll::Pending => (request, None),
    }
}

/// Begins a request that has to wait for something.
pub fn begin_waiting<'a, T>(request: impl Future<Output = T> + 'a) -> Begun<'a, T> {
    let (request, answer) = begin(request);
    assert!(answer.is_none(), "it did not wait");
    request
}
