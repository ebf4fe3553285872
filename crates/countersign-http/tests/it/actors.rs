//! A service of its own for each test, and who talks to it. Every answer is held to the rules of the wire as it comes
//! in ([`Answer::checked`]), so that each test, whatever it is about, tests them too.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use countersign_auth::{
    Auth, Clock, ConfiguredKeys, ConfirmPage, ManualClock, PrivateRegistration, Rules, Throttles,
};
use countersign_domain::PasswordPolicy;
use countersign_http::{
    AllowedHosts, ForwardedHeader, Renderer, Served, Service, Settings, TrustedProxies, document_text,
};
use countersign_password::{Algorithm as HashAlgorithm, Hashers, Limits, Preferred};
use countersign_store::{DatabaseUrl, PoolOptions, Store};
use countersign_token::{Algorithm, Keys, Settings as TokenSettings, Tokens};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::described::{Described, Got};

pub const REGISTER: &str = "/user/api/register/";
pub const LOGIN: &str = "/user/api/login/";
pub const SLIDING_LOGIN: &str = "/user/api/login/sliding/";
pub const REFRESH: &str = "/user/api/token/refresh/";
pub const SLIDING_REFRESH: &str = "/user/api/token/refresh/sliding/";
pub const VERIFY: &str = "/user/api/token/verify/";
pub const BLACKLIST: &str = "/user/api/token/blacklist/";
pub const ME: &str = "/user/api/me/";
pub const LOGOUT: &str = "/user/api/logout/";
pub const LOGOUT_ALL: &str = "/user/api/logout/all/";
pub const SESSIONS: &str = "/user/api/sessions/";
pub const ONE_SESSION: &str = "/user/api/sessions/0123456789abcdef0123456789abcdef/";
/// The paths of the original.
pub const PATHS: [&str; 8] =
    [REGISTER, LOGIN, SLIDING_LOGIN, REFRESH, SLIDING_REFRESH, VERIFY, BLACKLIST, ME];
/// Those whose answers have tokens in them.
pub const TOKEN_PATHS: [&str; 4] = [LOGIN, SLIDING_LOGIN, REFRESH, SLIDING_REFRESH];
/// The paths that the original lacks.
pub const OWN_PATHS: [&str; 4] = [LOGOUT, LOGOUT_ALL, SESSIONS, ONE_SESSION];

pub const CHEAP: Preferred = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
/// Where everybody comes from.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
pub const PASSWORD: &str = "a-long-enough-secret";
const SECRET_KEY: &[u8] = b"a secret for tests, long enough for HS256";

/// What the answers are held against.
static DESCRIBED: LazyLock<Described> = LazyLock::new(|| Described::read().unwrap());
/// The same, where accounts are made by mail.
static DESCRIBED_BY_MAIL: LazyLock<Described> = LazyLock::new(|| {
    let served = Served { registers_by_mail: true, ..Served::default() };
    Described::of(&document_text(served)).unwrap()
});

/// A service on a database of its own, whose clock stands still.
pub struct World {
    pub service: Arc<Service>,
    pub clock: ManualClock,
    pub store: Store,
    /// Signs whatever a test wants signed, with the key of the service.
    pub tokens: Tokens,
    pub directory: TempDir,
}

impl World {
    pub fn new() -> Self {
        Self::hashing_with(CHEAP)
    }

    pub fn hashing_with(preferred: Preferred) -> Self {
        Self::with(preferred, |_| {})
    }

    /// One with other settings.
    pub fn set(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with(CHEAP, change)
    }

    fn with(preferred: Preferred, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start(preferred, Throttles::default(), change)
    }

    /// One that slows guessing down, where these proxies are trusted.
    pub fn slowing_down(throttles: Throttles, proxies: &[&str]) -> Self {
        let proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        let trusted = TrustedProxies::new(proxies, ForwardedHeader::default());
        Self::slowing_down_and(throttles, |settings| settings.trusted_proxies = trusted)
    }

    /// One that slows guessing down and has other settings.
    pub fn slowing_down_and(throttles: Throttles, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start(CHEAP, throttles, change)
    }

    /// One that makes accounts by mail.
    pub fn registering_by_mail(throttles: Throttles) -> Self {
        let page = ConfirmPage::parse("https://app.example.com/welcome#token={token}").unwrap();
        let private_registration =
            Some(PrivateRegistration { page, link_lifetime: SignedDuration::from_hours(24) });
        Self::start_by(Rules { throttles, private_registration, ..Rules::default() }, CHEAP, |_| {})
    }

    fn start(preferred: Preferred, throttles: Throttles, change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_by(Rules { throttles, ..Rules::default() }, preferred, change)
    }

    fn start_by(rules: Rules, preferred: Preferred, change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("db.sqlite3"));
        let store = at_once(Store::open(&url, &PoolOptions::default())).unwrap();
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let hashers = Hashers::new(preferred, &HashAlgorithm::DJANGO_DEFAULT, Limits::default()).unwrap();
        let (policy, time) = (PasswordPolicy::default(), Clock::Manual(clock.clone()));
        let keys = ConfiguredKeys::new(token_settings(), SECRET_KEY).unwrap();
        let auth = at_once(Auth::start(store.clone(), hashers, keys, policy, rules, time)).expect("threads");
        let mut settings = Settings {
            allowed_hosts: AllowedHosts::parse("auth.example", false),
            auth_header_types: vec!["Bearer".to_owned()],
            auth_header_name: http::header::AUTHORIZATION,
            renderers: vec![Renderer::Json, Renderer::Api],
            cors: None,
            token_cookies: None,
            trusted_proxies: TrustedProxies::default(),
            secure_cookies: true,
            access_log: true,
        };
        change(&mut settings);
        let service = Arc::new(Service::new(auth, settings));
        Self { service, clock, store, tokens: tokens(), directory }
    }

    /// Someone without an account.
    pub fn anon(&self) -> Anon<'_> {
        Anon { world: self }
    }

    /// Someone who has registered and logged in under `name`.
    pub async fn user(&self, name: &str) -> LoggedIn<'_> {
        let anon = self.anon();
        anon.register(name, PASSWORD).await.is(201);
        self.log_in(name).await
    }

    /// Someone who is logged in under `name`.
    pub async fn log_in(&self, name: &str) -> LoggedIn<'_> {
        let anon = self.anon();
        let pair = anon.log_in(name, PASSWORD).await.is(200).json();
        let token = |kind: &str| pair[kind].as_str().unwrap().to_owned();
        LoggedIn { anon, refresh: token("refresh"), access: token("access") }
    }

    /// What a program is answered that asks for no endpoint: the rules of those are not its.
    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Draft::new(method, path).request();
        for (name, _) in headers {
            request.headers_mut().remove(*name);
        }
        for (name, value) in headers {
            request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Answer::of(self.service.answer(request, None).await).await
    }

    pub async fn send(&self, draft: Draft) -> Answer {
        let (path, method) = (draft.uri.path().to_owned(), draft.method.clone());
        let response = self.service.answer(draft.request(), Some(ADDRESS)).await;
        let described = if self.service.auth().registers_by_mail() { &DESCRIBED_BY_MAIL } else { &DESCRIBED };
        Answer::checked_by(described, &path, &method, response).await
    }
}

fn token_settings() -> TokenSettings {
    TokenSettings { session_claim: Some("sid".to_owned()), ..TokenSettings::default() }
}

fn tokens() -> Tokens {
    Tokens::new(token_settings(), Keys::new(Algorithm::HS256, SECRET_KEY, b"").unwrap())
}

/// What a future comes to that waits for nothing, as on SQLite.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("on SQLite there is nothing to wait for"),
    }
}

pub struct Anon<'a> {
    world: &'a World,
}

impl Anon<'_> {
    pub async fn register(&self, username: &str, password: &str) -> Answer {
        self.post(REGISTER, &json!({"username": username, "password": password})).await
    }

    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.post(LOGIN, &json!({"username": username, "password": password})).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.world.send(Draft::post(path).json(body)).await
    }
}

pub struct LoggedIn<'a> {
    anon: Anon<'a>,
    pub refresh: String,
    pub access: String,
}

impl LoggedIn<'_> {
    pub async fn refresh(&self) -> Answer {
        self.anon.post(REFRESH, &json!({"refresh": self.refresh})).await
    }

    pub async fn blacklist(&self) -> Answer {
        self.anon.post(BLACKLIST, &json!({"refresh": self.refresh})).await
    }

    pub async fn me(&self) -> Answer {
        self.get(ME).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.anon.world.send(Draft::get(path).bearer(&self.access)).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.anon.world.send(Draft::post(path).bearer(&self.access)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.anon.world.send(Draft::new(Method::DELETE, path).bearer(&self.access)).await
    }

    /// Logs in once more, on another device.
    pub async fn another_device(&self, name: &str) -> Self {
        self.anon.world.log_in(name).await
    }
}

/// A request that is still being written.
#[derive(Debug, Clone)]
pub struct Draft {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Draft {
    pub fn new(method: Method, uri: &str) -> Self {
        let draft = Self { method, uri: uri.parse().unwrap(), headers: HeaderMap::new(), body: Vec::new() };
        draft.header("host", "auth.example")
    }

    pub fn get(uri: &str) -> Self {
        Self::new(Method::GET, uri)
    }

    pub fn post(uri: &str) -> Self {
        Self::new(Method::POST, uri)
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// Adds a further line of a header.
    pub fn another(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub fn request(self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::from(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// An answer that keeps the rules of the wire.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Each answer has the name of its own request, which makes it no other answer.
impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        let without_name = |answer: &Self| {
            let mut headers = answer.headers.clone();
            headers.remove("x-request-id");
            headers
        };
        (self.status, &self.body) == (other.status, &other.body) && without_name(self) == without_name(other)
    }
}

impl Answer {
    pub async fn of(response: Response<Full<Bytes>>) -> Self {
        let (head, body) = response.into_parts();
        let length = body.size_hint().exact();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(length, Some(body.len() as u64), "the length of a body is known beforehand");
        Self { status: head.status, headers: head.headers, body }
    }

    pub async fn checked(path: &str, method: &Method, response: Response<Full<Bytes>>) -> Self {
        Self::checked_by(&DESCRIBED, path, method, response).await
    }

    async fn checked_by(
        described: &Described,
        path: &str,
        method: &Method,
        response: Response<Full<Bytes>>,
    ) -> Self {
        let answer = Self::of(response).await;
        answer.keeps_the_rules(&format!("{method} {path}"));
        let content_type = answer.all("content-type").concat();
        let got = Got { status: answer.status.as_u16(), content_type: &content_type, body: &answer.body };
        described.check(method.as_str(), path, &got).unwrap();
        answer
    }

    fn keeps_the_rules(&self, request: &str) {
        let described = || format!("the answer to {request}: {self:?}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(self.all(name), [value], "{name} of {}", described());
        }
        // There is one cookie, which a login hands out where guessing is slowed down.
        let is_login = [LOGIN, SLIDING_LOGIN].iter().any(|path| request == format!("POST {path}"));
        let is_of_device = |cookie: &&str| is_login && cookie.starts_with("__Secure-countersign_device_");
        assert!(self.all("set-cookie").iter().all(is_of_device), "{}", described());
        let gives = |path: &&str| request == format!("POST {path}");
        let has_tokens = self.status == 200 && TOKEN_PATHS.iter().any(gives);
        assert!(self.all("cache-control") == ["no-store"] || !has_tokens, "{}", described());
        assert!(matches!(self.all("x-request-id").as_slice(), [name] if !name.is_empty()), "{}", described());
        let is_json = self.all("content-type") == ["application/json"];
        let is_page = self.all("content-type") == ["text/html; charset=utf-8"];
        let is_without_body = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&self.status);
        let is_empty = is_without_body && !self.headers.contains_key("content-type");
        assert!(is_json || is_page || is_empty, "{}", described());
        // What is no endpoint of the original's: a document has a tag, and neither it nor `/auth/verify` describes itself.
        let is_document = self.headers.contains_key("etag");
        let is_described = self.headers.contains_key("allow") && self.all("allow") != ["GET, HEAD"];
        let vary: &[&str] = match (is_document, is_described, is_json) {
            (true, _, _) | (_, true, true) => &["Accept"],
            (_, true, false) => &["Accept, Cookie"],
            (_, false, _) => &[],
        };
        assert!(is_empty || self.all("vary") == vary, "{vary:?} of {}", described());
        if is_json {
            assert!(serde_json::from_slice::<Value>(&self.body).is_ok(), "{}", described());
        }
        // Only endpoints say `Allow`; Django's own pages do not.
        assert!(self.headers.contains_key("allow") || !is_json || is_document, "{}", described());
        let challenge: &[&str] =
            if self.status == StatusCode::UNAUTHORIZED { &["Bearer realm=\"api\""] } else { &[] };
        assert_eq!(self.all("www-authenticate"), challenge, "{}", described());
        let is_later = [429, 503].contains(&self.status.as_u16());
        assert_eq!(self.headers.contains_key("retry-after"), is_later, "{}", described());
        assert_ne!(self.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", described());
    }

    /// The value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let name: HeaderName = name.parse().unwrap();
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The answer, which must have this status.
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}
