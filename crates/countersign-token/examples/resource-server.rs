//! A service that verifies the access tokens of another: `GET /whoami` answers with the user's id.
//!
//! Run it beside a Countersign, with the secret they share:
//!
//! ```text
//! SECRET_KEY=... cargo run -p countersign-token --features tower --example resource-server
//! ```
//!
//! or with the public keys that it publishes, fetched at the start, every five minutes, and when a token names a key
//! that is not known:
//!
//! ```text
//! JWKS_URL=http://127.0.0.1:8000/.well-known/jwks.json cargo run ...
//! ```
//!
//! `LISTEN` is where it answers: 127.0.0.1:8080 by default.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header::AUTHORIZATION};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Extension, Router, routing::get};
use countersign_token::json::Value;
use countersign_token::{Algorithm, BearerLayer, Claims, Settings, Verifier, VerifyingKey, parse_jwks};
use jiff::Timestamp;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use std::{env, error::Error, thread};
use tokio::{net::TcpListener, sync::oneshot};

/// How old the keys may get.
const FETCH_EVERY: Duration = Duration::from_secs(5 * 60);
/// How soon they are fetched again for an unknown key: anyone can make one up.
const FETCH_AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// The verifier of the moment.
type Current = Arc<RwLock<Arc<Verifier>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let app = Router::new().route("/whoami", get(who_am_i));
    let app = match (env::var("SECRET_KEY"), env::var("JWKS_URL")) {
        (Ok(secret), _) => {
            let key = VerifyingKey::new(Algorithm::HS256, secret.as_bytes())?;
            let verifier = Arc::new(Verifier::new(Settings::default(), vec![key]));
            app.layer(BearerLayer::new(move || Arc::clone(&verifier), now))
        }
        (_, Ok(url)) => {
            let keys = tokio::task::spawn_blocking(move || PublishedKeys::fetched_from(url)).await??;
            let current = Arc::clone(&keys.current);
            // The last layer is the first that a request comes to.
            app.layer(BearerLayer::new(move || verifier(&current), now))
                .layer(middleware::from_fn_with_state(keys, fetch_unknown_key))
        }
        _ => return Err("set SECRET_KEY, or JWKS_URL to the address of a JWK set".into()),
    };
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn who_am_i(Extension(claims): Extension<Claims>) -> String {
    claims.get("user_id").map(Value::to_python_str).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, which needs a clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Lets the keys be fetched again before a token that names an unknown one is verified.
async fn fetch_unknown_key(State(keys): State<PublishedKeys>, request: Request, next: Next) -> Response {
    if let Some(token) = bearer(request.headers())
        && !verifier(&keys.current).has_key_for(token)
    {
        keys.fetch_again().await;
    }
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn verifier(current: &Current) -> Arc<Verifier> {
    Arc::clone(&current.read().unwrap_or_else(PoisonError::into_inner))
}

/// Keys that another service publishes. A thread fetches them, and ends with the last of its users.
#[derive(Clone)]
struct PublishedKeys {
    current: Current,
    wanted: Sender<oneshot::Sender<()>>,
}

impl PublishedKeys {
    fn fetched_from(url: String) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let current = Arc::new(RwLock::new(Arc::new(fetch(&url)?)));
        let (wanted, waiting) = channel();
        let keys = Self { current: Arc::clone(&current), wanted };
        thread::Builder::new().name("keys".to_owned()).spawn(move || keep_fresh(&url, &current, &waiting))?;
        Ok(keys)
    }

    /// Returns when they were fetched, or had just been.
    async fn fetch_again(&self) {
        let (done, is_done) = oneshot::channel();
        if self.wanted.send(done).is_ok() {
            // An error says that the thread has ended; the keys stay as they are.
            let _ = is_done.await;
        }
    }
}

fn keep_fresh(url: &str, current: &Current, waiting: &Receiver<oneshot::Sender<()>>) {
    let mut tried = Instant::now();
    loop {
        let done = match waiting.recv_timeout(FETCH_EVERY.saturating_sub(tried.elapsed())) {
            Ok(done) => Some(done),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if done.is_none() || tried.elapsed() >= FETCH_AT_MOST_EVERY {
            tried = Instant::now();
            match fetch(url) {
                Ok(fresh) => *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh),
                Err(error) => eprintln!("the keys could not be fetched, the old ones stay: {error}"),
            }
        }
        // Whoever asked may have gone meanwhile.
        let _ = done.map(|done| done.send(()));
    }
}

fn fetch(url: &str) -> Result<Verifier, Box<dyn Error + Send + Sync>> {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).build(),
    );
    let jwks = agent.get(url).call()?.body_mut().read_to_string()?;
    Ok(Verifier::new(Settings::default(), parse_jwks(&jwks)?))
}
