//! What scenarios do to the database behind the server's back: the operations of `conformance/README.md`, on the
//! program's own store. Shared by the replayer and by `examples/conformance-hook.rs`.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use countersign_domain::{NewUser, PasswordHash, User};
use countersign_password::{Algorithm, Hashers, Limits, Preferred, Salt, Workspace};
use countersign_store::{DatabaseUrl, OutstandingToken, PoolOptions, Store, TokensOf, UserChange};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Runs the operation on the database that `setting` names (`DATABASE_URL`), hashing as `PASSWORD_HASHER` says.
///
/// Takes and returns the JSON objects of the README; fails in words.
pub async fn run(
    operation: &str,
    arguments: &Map<String, Value>,
    setting: impl Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Result<Value, String> {
    let url = setting("DATABASE_URL").ok_or("DATABASE_URL is not set")?;
    let url: DatabaseUrl = url.parse().map_err(in_words)?;
    let store = Store::open(&url, &PoolOptions::default()).await.map_err(in_words)?;
    match operation {
        "create_user" => create_user(&store, arguments, setting, now).await,
        "update_user" => update_user(&store, arguments, setting).await,
        "delete_user" => {
            store.delete_user(named_user(&store, arguments).await?.id).await.map_err(in_words)?;
            Ok(json!({}))
        }
        "get_user" => named_user(&store, arguments).await.map(|user| user_json(&user)),
        "tokens" => tokens(&store, arguments, &setting).await,
        "flush_expired" => flush_expired(&store, now).await,
        other => Err(format!("unknown operation {other}")),
    }
}

async fn create_user(
    store: &Store,
    arguments: &Map<String, Value>,
    setting: impl Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Result<Value, String> {
    let mut user = NewUser {
        username: text(arguments, "username")?.ok_or("username is missing")?,
        email: text(arguments, "email")?.unwrap_or_default(),
        password_hash: password_hash(arguments, setting)?.map_or_else(unusable_password, Ok)?,
        is_active: true,
        is_staff: false,
        is_superuser: false,
        first_name: String::new(),
        last_name: String::new(),
        last_login: None,
        date_joined: now,
    };
    for (name, value) in arguments {
        match name.as_str() {
            "username" | "email" | "password" | "password_hash" => {}
            "is_active" => user.is_active = flag(name, value)?,
            "is_staff" => user.is_staff = flag(name, value)?,
            "is_superuser" => user.is_superuser = flag(name, value)?,
            "first_name" => user.first_name = text(arguments, name)?.unwrap_or_default(),
            "last_name" => user.last_name = text(arguments, name)?.unwrap_or_default(),
            other => return Err(format!("create_user cannot set {other}")),
        }
    }
    let id = store.insert_user(user).await.map_err(in_words)?;
    Ok(json!({ "id": id.number() }))
}

async fn update_user(
    store: &Store,
    arguments: &Map<String, Value>,
    setting: impl Fn(&str) -> Option<String>,
) -> Result<Value, String> {
    let user = named_user(store, arguments).await?;
    let mut change =
        UserChange { password_hash: password_hash(arguments, setting)?, ..UserChange::default() };
    for (name, value) in arguments {
        match name.as_str() {
            "username" | "password" | "password_hash" => {}
            "email" => change.email = text(arguments, name)?,
            "is_active" => change.is_active = Some(flag(name, value)?),
            "is_staff" => change.is_staff = Some(flag(name, value)?),
            "is_superuser" => change.is_superuser = Some(flag(name, value)?),
            "first_name" => change.first_name = text(arguments, name)?,
            "last_name" => change.last_name = text(arguments, name)?,
            other => return Err(format!("update_user cannot set {other}")),
        }
    }
    store.update_user(user.id, change).await.map_err(in_words)?;
    Ok(json!({}))
}

async fn tokens(
    store: &Store,
    arguments: &Map<String, Value>,
    setting: &impl Fn(&str) -> Option<String>,
) -> Result<Value, String> {
    let of = match text(arguments, "jti")? {
        Some(jti) => TokensOf::Jti(jti),
        None => TokensOf::User(named_user(store, arguments).await?.id),
    };
    let rows = store.outstanding_tokens(&of).await.map_err(in_words)?;
    Ok(json!({ "tokens": rows.iter().map(|row| token_json(row, setting)).collect::<Vec<_>>() }))
}

async fn flush_expired(store: &Store, now: Timestamp) -> Result<Value, String> {
    let mut next = Some(0);
    while let Some(after) = next {
        next = store.flush_tokens(after, now).await.map_err(in_words)?.1;
    }
    Ok(json!({ "outstanding": store.count_tokens().await.map_err(in_words)? }))
}

async fn named_user(store: &Store, arguments: &Map<String, Value>) -> Result<User, String> {
    let name = text(arguments, "username")?.ok_or("username is missing")?;
    store.find_user_by_username(&name).await.map_err(in_words)?.ok_or_else(|| format!("no user {name}"))
}

fn user_json(user: &User) -> Value {
    json!({
        "id": user.id.number(),
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "password": user.password_hash.as_str(),
        "last_login": user.last_login.map(|time| time.to_string()),
        "date_joined": user.date_joined.to_string(),
    })
}

fn token_json(token: &OutstandingToken, setting: &impl Fn(&str) -> Option<String>) -> Value {
    json!({
        "jti": token.jti,
        "user_id": token.user.and_then(countersign_domain::UserId::number),
        "token": signed(&token.text, setting),
        "created_at": token.created_at.map(|time| time.to_string()),
        "expires_at": token.expires_at.to_string(),
        "blacklisted": token.is_blacklisted,
    })
}

/// The text of a recorded token with the signature that it was handed out with. The table lacks it on purpose; whoever has
/// the key, as this program, can compare the rest with what the reference keeps.
fn signed(text: &str, setting: &impl Fn(&str) -> Option<String>) -> String {
    let (Some(unsigned), Some(secret)) = (text.strip_suffix('.'), setting("SECRET_KEY")) else {
        return text.to_owned();
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, unsigned.as_bytes());
    format!("{unsigned}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// The hash to store: `password_hash` as it is, or one of `password`.
fn password_hash(
    arguments: &Map<String, Value>,
    setting: impl Fn(&str) -> Option<String>,
) -> Result<Option<PasswordHash>, String> {
    if let Some(hash) = text(arguments, "password_hash")? {
        return Ok(Some(PasswordHash::new(hash)));
    }
    let Some(password) = text(arguments, "password")? else { return Ok(None) };
    let hashers = Hashers::new(preferred(setting)?, &Algorithm::DJANGO_DEFAULT, Limits::default());
    let hash = hashers.map_err(in_words)?.make(&password, &salt()?, &mut Workspace::default());
    Ok(Some(PasswordHash::new(hash)))
}

/// What Django stores where there is no password: `!` and 40 random characters.
fn unusable_password() -> Result<PasswordHash, String> {
    let random = format!("{}{}", salt()?.as_str(), salt()?.as_str());
    Ok(PasswordHash::new(format!("!{random:.40}")))
}

fn preferred(setting: impl Fn(&str) -> Option<String>) -> Result<Preferred, String> {
    let number = |name: &str, default| match setting(name) {
        Some(text) => text.parse().map_err(|_| format!("{name}={text} is not a number")),
        None => Ok(default),
    };
    match setting("PASSWORD_HASHER").as_deref() {
        None | Some("argon2id") => Ok(Preferred::Argon2id {
            memory_kib: number("ARGON2_MEMORY_KIB", 19_456)?,
            iterations: number("ARGON2_ITERATIONS", 2)?,
            parallelism: number("ARGON2_PARALLELISM", 1)?,
        }),
        Some("argon2") => Ok(Preferred::DJANGO_ARGON2),
        Some("pbkdf2_sha256") => Ok(Preferred::DJANGO_PBKDF2),
        Some(other) => Err(format!("unknown PASSWORD_HASHER {other}")),
    }
}

fn salt() -> Result<Salt, String> {
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random).map_err(in_words)?;
    Ok(Salt::from_random(random))
}

fn text(arguments: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{name} is no text: {other}")),
    }
}

fn flag(name: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{name} is neither true nor false: {value}"))
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
