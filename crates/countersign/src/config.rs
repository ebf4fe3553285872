//! Settings as the floors below want them, each checked, each refusal a sentence with the setting's name and the fix.

mod browsers;
mod database;
mod keys;
mod mail;
mod passwords;
mod reader;
mod registration;
mod throttles;
mod tls;
mod token_claims;
mod tokens;
mod traces;
mod user_model;

use std::net::Ipv6Addr;
use std::time::Duration;

use countersign_auth::{AuditRules, ConfiguredKeys, MailSettings, Rules, UserIdField};
use countersign_domain::{LoginField, PasswordPolicy};
use countersign_http::{AllowedHosts, HeaderName, Renderer};
use countersign_password::Hashers;
use countersign_store::{DatabaseUrl, PoolOptions, UserModel};
use countersign_token::{Kind, Settings};
use jiff::SignedDuration;

use self::browsers::{cors, token_cookies};
pub use self::database::{LET_WRITE, is_there, unwritable};
use self::database::{database, pool, refuse_missing};
use self::keys::keys;
use self::mail::mail;
use self::passwords::{hashers, lane, policy};
pub use self::reader::Reader;
use self::reader::refused;
use self::registration::private_registration;
use self::throttles::{throttles, trusted_proxies};
pub use self::tls::TlsFiles;
use self::token_claims::token_claims;
use self::tokens::{algorithm, token_settings};
use self::traces::traces;
use self::user_model::user_model;
use crate::check::{Finding, about_hosts};
use crate::logging::{filter, is_watched};
use crate::secret_key::{self, SecretKey};
use crate::settings::find;
use crate::settings::kind::AUTO;
use crate::sources::{SettingError, Sources};

/// What a subcommand does where the database or the key is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Makes them.
    MayBeMade,
    /// Makes both, and refuses a database whose key is missing: a new one would hide that it was lost.
    MadeTogether,
    /// Refuses: in the wrong directory it would find an empty service, and leave it behind.
    Existing,
    /// Goes on without, as it only checks settings.
    NotNeeded,
}

/// Everything the program was told, checked.
pub struct Config {
    /// Which database to open.
    pub database: DatabaseUrl,
    /// Where its users are, and what they log in with.
    pub user_model: UserModel,
    /// How connections to a PostgreSQL server are kept.
    pub pool: PoolOptions,
    /// How long a server waits at the start for a database that cannot be reached.
    pub start_wait: Duration,
    /// What signs, unless `SIGNING_KEY` does.
    pub secret_key: SecretKey,
    /// How tokens are made and read, and with which keys.
    pub keys: ConfiguredKeys,
    /// How passwords are hashed.
    pub hashers: Hashers,
    /// What a new password must be.
    pub policy: PasswordPolicy,
    /// What use-cases do.
    pub rules: Rules,
    /// Whether a Django serves the same database; `None` when it is for the database to tell.
    pub django_peer: Option<bool>,
    /// What the wire does.
    pub http: countersign_http::Settings,
    /// Where to listen.
    pub bind: String,
    /// Where to listen.
    pub port: u16,
    /// With which files connections are encrypted, if they are.
    pub tls: Option<TlsFiles>,
    /// Where metrics are served, if anywhere.
    pub metrics_bind: Option<String>,
    /// Where a server sends its traces, if anywhere.
    pub traces: Option<countersign_traces::Settings>,
    /// Where mail is handed in, if anywhere.
    pub mail: Option<MailSettings>,
    /// How a server ends.
    pub drain: Drain,
    /// The bytes that an SQLite file needs to have left.
    pub min_free_disk: u64,
    /// `DEBUG`.
    pub debug: bool,
    /// What to say at the start.
    pub warnings: Vec<Finding>,
}

/// How a server ends.
#[derive(Clone, Copy)]
pub struct Drain {
    /// How long it goes on accepting, so that others take notice.
    pub delay: Duration,
    /// How long requests in flight may then take.
    pub timeout: Duration,
}

impl Config {
    /// Reads what a server would read at its start, without one: who only administers need not be able to.
    pub fn check_files(&self, sources: &Sources) -> Result<(), SettingError> {
        if let Some(files) = &self.tls {
            files.load()?;
        }
        refuse_missing(&self.database, &self.user_model).map_err(|error| sources.located(error))
    }

    /// Checks everything that was said; a refusal tells where that was.
    pub fn from_sources(sources: &Sources, files: Files) -> Result<Self, SettingError> {
        Self::checked(sources, files).map_err(|error| sources.located(error))
    }

    /// The key comes last: a refused start has made none.
    fn checked(sources: &Sources, files: Files) -> Result<Self, SettingError> {
        sources.check()?;
        let reader = Reader(sources);
        let debug = reader.switch("DEBUG")?;
        let database = database(&reader, files)?;
        let user_model = user_model(&reader)?;
        let pool = pool(&reader)?;
        let start_wait = reader.wait("DATABASE_START_WAIT")?;
        let hashers = hashers(&reader)?;
        let policy = policy(&reader)?;
        let token_settings = token_settings(&reader)?;
        let rules = rules(&reader, &token_settings, user_model.login, debug)?;
        let django_peer = django_peer(&reader)?;
        let http = http_settings(&reader, debug, &token_settings)?;
        let bind = bind(&reader)?;
        let port = reader.whole("PORT")?;
        let tls = TlsFiles::of(&reader)?;
        let metrics_bind = Some(reader.text("METRICS_BIND")?.trim()).filter(|address| !address.is_empty());
        let metrics_bind = metrics_bind.map(str::to_owned);
        let traces = traces(&reader)?;
        let mail = mail(&reader)?;
        filter(sources)?;
        let drain = Drain { delay: reader.wait("DRAIN_DELAY")?, timeout: reader.wait("DRAIN_TIMEOUT")? };
        let min_free_disk = reader.whole::<u64>("MIN_FREE_DISK_MIB")? << 20;
        algorithm(&reader)?;
        if files != Files::NotNeeded {
            refuse_missing(&database, &user_model)?;
        }
        let secret_key = secret_key::obtain(reader.optional_text("SECRET_KEY")?, &database, files)?;
        let mut warnings = sources.warnings.clone();
        let accepts_weak = debug || reader.switch("ALLOW_WEAK_SECRET_KEY")?;
        warnings.extend(check_secrets(&reader, &secret_key, accepts_weak)?);
        let (keys, about_keys) = keys(&reader, token_settings, &secret_key, accepts_weak)?;
        warnings.extend(about_keys);
        warnings.extend(about_hosts(&reader, debug)?);
        Ok(Self {
            database,
            user_model,
            pool,
            start_wait,
            secret_key,
            keys,
            hashers,
            policy,
            rules,
            django_peer,
            http,
            bind,
            port,
            tls,
            metrics_bind,
            traces,
            mail,
            drain,
            min_free_disk,
            debug,
            warnings,
        })
    }
}

/// An address without a port; what is empty is not set.
fn bind(reader: &Reader<'_>) -> Result<String, SettingError> {
    let text = match reader.text("BIND")?.trim() {
        "" => find("BIND").map_or("", |setting| setting.default.value()),
        text => text,
    };
    let address = text.trim_start_matches('[').trim_end_matches(']').split('%').next().unwrap_or_default();
    if !address.contains(':') || address.parse::<Ipv6Addr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err(match text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        Some((host, port)) => {
            refused("BIND", &format!("has a port in it; write BIND={host} and PORT={port}"))
        }
        None => refused("BIND", "must be an address, such as 127.0.0.1 or ::1, or a name"),
    })
}

/// Warns of weak keys, or refuses them: `SECRET_KEY`, and a `SIGNING_KEY` that takes its place.
fn check_secrets(
    reader: &Reader<'_>,
    key: &SecretKey,
    is_accepted: bool,
) -> Result<Vec<Finding>, SettingError> {
    let is_secret = algorithm(reader)?.is_symmetric();
    let signing_key = reader.optional_text("SIGNING_KEY")?.filter(|key| is_secret && !key.is_empty());
    let mut warnings: Vec<Finding> =
        key.file.iter().filter_map(|(path, _)| secret_key::exposure(path)).collect();
    for (name, key) in [("SECRET_KEY", Some(key.value.as_str())), ("SIGNING_KEY", signing_key)] {
        match key.and_then(secret_key::weakness) {
            None => {}
            Some(weakness) if is_accepted => warnings.push(Finding::warning(
                "W001",
                format!("{name} {weakness}"),
                "whoever guesses it can be any user",
                format!("set {name} to the output of `openssl rand -hex 32`"),
            )),
            Some(weakness) => {
                let fix = "Set a long random one (for example the output of `openssl rand -hex 32`), or remove it to \
                           have one made; DEBUG=True accepts it for trying out";
                let why = format!("it {weakness}, so that its tokens could be forged. {fix}");
                return Err(refused(name, &why));
            }
        }
    }
    Ok(warnings)
}

fn rules(
    reader: &Reader<'_>,
    settings: &Settings,
    login: LoginField,
    debug: bool,
) -> Result<Rules, SettingError> {
    let classes = reader.list("AUTH_TOKEN_CLASSES")?;
    if classes.is_empty() {
        return Err(refused("AUTH_TOKEN_CLASSES", "needs at least one class, such as AccessToken"));
    }
    let class = |path: &String| {
        let name = path.rsplit('.').next().unwrap_or(path);
        let kinds = [Kind::Access, Kind::Sliding, Kind::Refresh, Kind::Untyped];
        let named = kinds.into_iter().find(|kind| kind.class_name() == name);
        named.ok_or_else(|| refused("AUTH_TOKEN_CLASSES", &format!("{name:?} is not a token class; use AccessToken, SlidingToken, RefreshToken or UntypedToken")))
    };
    Ok(Rules {
        rotate_refresh_tokens: reader.switch("ROTATE_REFRESH_TOKENS")?,
        blacklist_after_rotation: reader.switch("BLACKLIST_AFTER_ROTATION")?,
        update_last_login: reader.switch("UPDATE_LAST_LOGIN")?,
        check_revoke_token: reader.switch("CHECK_REVOKE_TOKEN")?,
        check_user_is_active: reader.switch("CHECK_USER_IS_ACTIVE")?,
        user_id_field: match reader.text("USER_ID_FIELD")? {
            "id" | "pk" => UserIdField::Id,
            name if name == login.name() => UserIdField::Username,
            _ => {
                let fix = format!("must be id or {}, as no other field is unique", login.name());
                return Err(refused("USER_ID_FIELD", &fix));
            }
        },
        auth_token_classes: classes.iter().map(class).collect::<Result<_, _>>()?,
        django_peer: false, // until the database has been asked
        refresh_grace: refresh_grace(reader)?,
        token_claims: token_claims(reader, settings, login)?,
        lane: lane(reader)?,
        throttles: throttles(reader)?,
        audit: AuditRules {
            retention: reader.duration("AUDIT_RETENTION")?,
            max_events: reader.whole::<u32>("AUDIT_MAX_EVENTS")?.into(),
            max_refusals: reader.whole::<u32>("AUDIT_MAX_REFUSALS")?.into(),
        },
        private_registration: private_registration(reader, debug)?,
    })
}

fn django_peer(reader: &Reader<'_>) -> Result<Option<bool>, SettingError> {
    match reader.optional_text("DJANGO_PEER")? {
        None => Ok(None),
        Some(_) => reader.switch("DJANGO_PEER").map(Some),
    }
}

/// The time in which a lost answer is asked for again. Without sessions there is none.
fn refresh_grace(reader: &Reader<'_>) -> Result<SignedDuration, SettingError> {
    let grace = reader.duration("REFRESH_GRACE")?;
    let has_sessions = !reader.text("SESSION_CLAIM")?.is_empty();
    if !has_sessions && reader.0.get("REFRESH_GRACE").is_some() && !grace.is_zero() {
        let fix = "remove it, or let SESSION_CLAIM have its default";
        return Err(refused(
            "REFRESH_GRACE",
            &format!("there is no grace where SESSION_CLAIM is empty; {fix}"),
        ));
    }
    Ok(grace)
}

fn http_settings(
    reader: &Reader<'_>,
    debug: bool,
    token_settings: &Settings,
) -> Result<countersign_http::Settings, SettingError> {
    let allowed_hosts = match reader.optional_text("ALLOWED_HOSTS")? {
        Some(text) => AllowedHosts::parse(text, debug),
        None => AllowedHosts::parse("", true), // what Django serves with DEBUG on and nothing said: local hosts
    };
    let renderers = match reader.list("RENDERERS")?.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
    {
        ["json"] => vec![Renderer::Json],
        _ => vec![Renderer::Json, Renderer::Api], // the other of its two choices
    };
    let auth_header_types = reader.list("AUTH_HEADER_TYPES")?;
    // RFC 9110's tokens: what else is visible would need quotes in a challenge, and in the documentation.
    let is_of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_word = |word: &String| !word.is_empty() && word.bytes().all(is_of_a_word);
    if auth_header_types.is_empty() || !auth_header_types.iter().all(is_word) {
        return Err(refused(
            "AUTH_HEADER_TYPES",
            "needs at least one word, such as Bearer, of letters, digits or !#$%&'*+-.^_`|~",
        ));
    }
    Ok(countersign_http::Settings {
        allowed_hosts,
        auth_header_types,
        auth_header_name: header_name(reader.text("AUTH_HEADER_NAME")?)?,
        renderers,
        cors: cors(reader)?,
        token_cookies: token_cookies(reader, token_settings)?,
        trusted_proxies: trusted_proxies(reader)?,
        secure_cookies: !debug,
        access_log: match reader.text("ACCESS_LOG")?.trim() {
            AUTO => is_watched(reader.0),
            _ => reader.switch("ACCESS_LOG")?,
        },
    })
}

/// `HTTP_X_ACCESS_TOKEN`, as WSGI spells it, is the header `X-Access-Token`.
fn header_name(wsgi_name: &str) -> Result<HeaderName, SettingError> {
    let name = wsgi_name.strip_prefix("HTTP_").map(|name| name.replace('_', "-").to_ascii_lowercase());
    let parsed = name.and_then(|name| name.parse().ok());
    parsed.ok_or_else(|| {
        refused("AUTH_HEADER_NAME", "must be a header in WSGI's spelling, such as HTTP_AUTHORIZATION")
    })
}
