//! Single operations on the way of a request, ready to be done again and again: for `benches/operations.rs`, which times
//! them, and for `bench/instructions`, which counts.

use countersign_domain::{Client, Email, NewUser, PasswordHash, SessionId, User, UserId};
use countersign_http::request::accept::negotiate;
use countersign_http::request::parse_body;
use countersign_http::{AllowedHosts, Renderer};
use countersign_password::{Hashers, Limits, Preferred};
use countersign_store::{Named, NamedUser, NewSession, PoolOptions, Store};
use countersign_token::{Algorithm, Keys, Kind, Settings, Tokens};
use jiff::{SignedDuration, Timestamp};
use std::hint::black_box;

/// What there is.
pub const NAMES: [&str; 9] = [
    "mint an access token",
    "verify an access token",
    "parse a JSON body",
    "parse a form",
    "read a hash string",
    "check a host",
    "negotiate for a browser",
    "read user and session",
    "write a user",
];

const JTI: &str = "0123456789abcdef0123456789abcdef";
const HASH: &str = "argon2$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdHM$\
                    LYVJbbqq1BCWNDmFSKYQZyJ2XFFHtKL8ZAyfJBDcmVk";
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
/// 2026-01-01.
const NOW: i64 = 1_767_225_600;

/// One operation; each call does it once.
pub type Operation = Box<dyn FnMut()>;

/// The operation of this name.
///
/// # Panics
/// If there is none, or it cannot be made ready: there is nothing to measure then.
#[must_use]
pub fn named(name: &str) -> Operation {
    match name {
        "mint an access token" => mint(),
        "verify an access token" => verify(),
        "parse a JSON body" => {
            parse("application/json", br#"{"username":"ada","password":"correct horse battery staple"}"#)
        }
        "parse a form" => {
            parse("application/x-www-form-urlencoded", b"username=ada&password=correct+horse+battery+staple")
        }
        "read a hash string" => read_hash(),
        "check a host" => {
            let hosts = AllowedHosts::parse("api.example.com,.example.org", false);
            Box::new(move || assert!(black_box(&hosts).permits(b"shop.example.org:443")))
        }
        "negotiate for a browser" => Box::new(|| {
            let renderers = [Renderer::Json, Renderer::Api];
            assert!(negotiate(black_box(Some(BROWSER)), None, &renderers).is_ok());
        }),
        "read user and session" => read(),
        "write a user" => write(),
        other => panic!("{other:?} is none of {NAMES:?}"),
    }
}

fn tokens() -> Tokens {
    let keys = Keys::new(Algorithm::HS256, b"benchmark-secret-key-0123456789-abcdefghijklmnop", b"");
    Tokens::new(Settings::default(), keys.expect("the secret is sound"))
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("it is a time")
}

fn mint() -> Operation {
    let tokens = tokens();
    let mut refresh = tokens.refresh_for("1", None, JTI, now());
    tokens.add_own(&mut refresh, &[], Some(JTI));
    Box::new(move || {
        black_box(tokens.encode(&tokens.access_from(black_box(&refresh), JTI, now())));
    })
}

fn verify() -> Operation {
    let tokens = tokens();
    let mut refresh = tokens.refresh_for("1", None, JTI, now());
    tokens.add_own(&mut refresh, &[], Some(JTI));
    let token = tokens.encode(&tokens.access_from(&refresh, JTI, now()));
    Box::new(move || {
        let claims = tokens.decode(black_box(&token), now()).expect("it was made just now");
        assert_eq!(tokens.check(&claims, Kind::Access, now()), Ok(()));
    })
}

fn parse(content_type: &'static str, body: &'static [u8]) -> Operation {
    Box::new(move || assert!(parse_body(Some(content_type), black_box(body)).is_ok()))
}

fn read_hash() -> Operation {
    let preferred = Preferred::Argon2id { memory_kib: 19456, iterations: 2, parallelism: 1 };
    let hashers = Hashers::new(preferred, &[], Limits::default()).expect("the parameters are sound");
    Box::new(move || assert!(hashers.recognise(black_box(HASH)).is_ok()))
}

/// A database of its own, with one user who is logged in; gone with the operation.
struct Home {
    runtime: tokio::runtime::Runtime,
    store: Store,
    user: UserId,
    session: SessionId,
    _directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        let url = format!("sqlite:{}", directory.path().join("accounts.sqlite3").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it starts");
        let session = SessionId::parse(JTI).expect("it is one");
        let (store, user) = runtime.block_on(async {
            let url = url.parse().expect("it is one");
            let store = Store::open(&url, &PoolOptions::default()).await.expect("it opens");
            let user = store.insert_user(user("ada")).await.expect("there is no other");
            let expires_at = now() + SignedDuration::from_hours(24);
            let begun = NewSession {
                id: session.clone(),
                user,
                created_at: now(),
                expires_at,
                client: Client::default(),
            };
            let whole: User = self::user("ada").with_id(user);
            assert!(store.record_login(Some(begun), None, &whole, None).await.expect("it is written"));
            (store, user)
        });
        Self { runtime, store, user, session, _directory: directory }
    }
}

fn user(name: &str) -> NewUser {
    let hash = PasswordHash::new(HASH.to_owned());
    let registered = NewUser::registered(None, &Email::default(), hash, now());
    NewUser { username: name.to_owned(), email: format!("{name}@example.com"), ..registered }
}

fn read() -> Operation {
    let home = Home::new();
    Box::new(move || {
        let home = &home; // all of it, with its directory
        let named =
            Named { user: Some(NamedUser::Id(home.user)), session: Some(home.session.clone()), jti: None };
        let held = home.runtime.block_on(home.store.find_held(named)).expect("it is read");
        assert!(held.user.is_some() && held.session.is_some());
    })
}

/// Alone, each waits for the disk; many share a commit.
fn write() -> Operation {
    let home = Home::new();
    let mut number = 0_u64;
    Box::new(move || {
        let home = &home; // all of it, with its directory
        number += 1;
        let user = user(&format!("user-{number}"));
        home.runtime.block_on(home.store.insert_user(user)).expect("there is no other");
    })
}
