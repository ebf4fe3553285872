//! The use-cases of Countersign: register, log in, refresh, verify, log out, authenticate, and the operator's.
//!
//! One file per use-case, each a method of [`Auth`]. What a use-case needs of the outside it is given: the store, the
//! keys, the clock. It knows nothing of HTTP: a refusal is an [`Error`], and the HTTP crate finds the words.

mod access;
mod audit;
mod authenticate;
mod blacklist;
mod bounded_stream;
mod clock;
mod csrf;
mod error;
mod hashing;
mod health;
mod holder;
mod keys;
mod known_device;
mod last_seen;
mod login;
mod logout;
mod mail_server;
mod mailer;
mod messages;
mod observing;
mod origin;
mod proofs;
mod refresh;
mod refusals;
mod register;
mod registration;
mod registration_link;
mod retention;
mod sessions;
mod stored_hashes;
mod throttle;
mod token_claims;
mod users;
mod verify;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, PoisonError, RwLock};

use countersign_domain::{LoginField, PasswordPolicy, User, UserId, UserIdKind};
use countersign_password::Hashers;
use countersign_store::{NamedUser, NewToken, Store};
use countersign_token::{Claims, Kind, Refusal, Tokens, UserIdClaim};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

pub use access::Access;
pub use audit::AuditRules;
pub use authenticate::Caller;
pub use clock::{Clock, ManualClock};
pub use error::{Error, FieldErrors, StartError, Submitted};
pub use hashing::{HashingPool, Lane};
pub use health::{Health, Verdict};
pub use keys::{ConfiguredKeys, KeyRing, KeyRingError, KeySet, KeyStatus, Rotated};
pub use known_device::KnownDevice;
pub use login::{LoginOutcome, SlidingToken, TokenPair};
pub use mail_server::{MailEncryption, MailServer, MailSettings, NotSent, Sender};
pub use mailer::Stuck;
pub use messages::Message;
pub use origin::{Evidence, Origin};
pub use refresh::Refreshed;
pub use registration::PrivateRegistration;
pub use registration_link::ConfirmPage;
pub use retention::Flushed;
pub use throttle::Throttles;
pub use token_claims::{ClaimSource, TokenClaim};
pub use users::{NewAccount, UserError};

use holder::Holder;
use known_device::Marks;
use proofs::Proofs;
use refusals::Refusals;
use registration_link::Links;
use stored_hashes::known_hashers;
use throttle::Buckets;

/// What is decided by settings rather than by keys or the database; the names are Simple JWT's.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent setting of the original")]
pub struct Rules {
    /// A refresh answers with a new refresh token as well.
    pub rotate_refresh_tokens: bool,
    /// Rotation ends the presented refresh token.
    pub blacklist_after_rotation: bool,
    /// A login sets `last_login`.
    pub update_last_login: bool,
    /// Tokens carry a fingerprint of the password hash and end when it changes.
    pub check_revoke_token: bool,
    /// Inactive users are refused at refresh and at protected endpoints.
    pub check_user_is_active: bool,
    /// Which field of the user the user id claim holds.
    pub user_id_field: UserIdField,
    /// The kinds of token that protected endpoints accept, in the order they are tried.
    pub auth_token_classes: Vec<Kind>,
    /// A Django serves the same database: its token tables are kept as it would keep them.
    pub django_peer: bool,
    /// How long after its exchange a refresh token may be presented again, for a tab that was overtaken or an answer that
    /// was lost.
    pub refresh_grace: SignedDuration,
    /// Claims that tokens carry beside those of Simple JWT.
    pub token_claims: Vec<TokenClaim>,
    /// How passwords are hashed without being in the way of anything else.
    pub lane: Lane,
    /// How fast may be guessed.
    pub throttles: Throttles,
    /// How much of the audit log is kept.
    pub audit: AuditRules,
    /// Accounts are made by mail, so that nobody is told who has one; `None` if they are made at once.
    pub private_registration: Option<PrivateRegistration>,
}

/// What tokens name a user by (`USER_ID_FIELD`): a field that no two users share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIdField {
    /// The primary key.
    Id,
    /// The log-in name, which is the e-mail address where users log in with that.
    Username,
}

/// Simple JWT's defaults; a minute of grace; no claims beside Simple JWT's; guessing is not slowed down.
impl Default for Rules {
    fn default() -> Self {
        Self {
            rotate_refresh_tokens: false,
            blacklist_after_rotation: false,
            update_last_login: false,
            check_revoke_token: false,
            check_user_is_active: true,
            user_id_field: UserIdField::Id,
            auth_token_classes: vec![Kind::Access],
            django_peer: false,
            refresh_grace: SignedDuration::from_secs(60),
            token_claims: Vec::new(),
            lane: Lane::default(),
            throttles: Throttles::default(),
            audit: AuditRules::default(),
            private_registration: None,
        }
    }
}

/// The use-cases. One per process, shared by all requests.
pub struct Auth {
    store: Store,
    hashing: HashingPool,
    key_ring: KeyRing,
    /// The ring as it was when `tokens` was made of it.
    kept_keys: tokio::sync::Mutex<keys::LastLook>,
    tokens: RwLock<Arc<Tokens>>,
    /// The first makes CSRF tokens, each can check them.
    csrf: Proofs,
    /// How many looks at the ring have begun.
    looks: AtomicU64,
    /// Whether the ring is now one that cannot be used, so that the keys of before are.
    keys_are_outdated: AtomicBool,
    /// Whether the last look at the database failed, which is told once.
    database_is_failing: AtomicBool,
    /// Whether a look at the database has not come to an end.
    is_looking: Arc<AtomicBool>,
    policy: PasswordPolicy,
    rules: Rules,
    buckets: Buckets,
    refusals: Refusals,
    marks: Marks,
    links: Links,
    clock: Clock,
    /// The time by the database when its clock was last looked at, in microseconds; later than any where it was not.
    database_time: AtomicI64,
    /// Whether our clock was far from it then, which is told once.
    clocks_differ: AtomicBool,
    /// The position of the last event that is among the metrics.
    counted_events: AtomicI64,
    /// Told when a mail was queued here.
    mail_waits: tokio::sync::Notify,
    /// The second in which was told last that too much mail waits.
    full_outbox_told: AtomicI64,
    /// Boxed, so that what starts this does not grow.
    pending: Box<audit::Pending>,
    last_seen: Box<last_seen::LastSeen>,
}

impl Auth {
    /// Puts the use-cases together. Every key must be usable. Starts the hashing threads, which may be refused; they end
    /// when `Auth` is dropped.
    pub async fn start(
        store: Store,
        hashers: Hashers,
        keys: ConfiguredKeys,
        policy: PasswordPolicy,
        rules: Rules,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let csrf = csrf::proofs(&keys);
        let (buckets, marks, links) = (Buckets::of(&keys), Marks::of(&keys), Links::of(&keys));
        let key_ring = KeyRing::new(store.clone(), keys, clock.clone());
        let kept_keys = key_ring.kept().await?;
        let tokens = RwLock::new(Arc::new(key_ring.tokens(&kept_keys)?));
        let kept_keys = tokio::sync::Mutex::new(keys::LastLook::at(kept_keys));
        let metrics = store.metrics();
        metrics.started.set(clock.now().as_second());
        let hashers = known_hashers(&store, &hashers).await?;
        let hashing = HashingPool::start(hashers, &rules.lane, metrics.hashing.clone())?;
        let looks = AtomicU64::default();
        let (keys_are_outdated, database_is_failing) = (AtomicBool::default(), AtomicBool::default());
        Ok(Self {
            store,
            hashing,
            key_ring,
            kept_keys,
            tokens,
            csrf,
            looks,
            keys_are_outdated,
            database_is_failing,
            is_looking: Arc::default(),
            policy,
            rules,
            buckets,
            refusals: Refusals::default(),
            marks,
            links,
            clock,
            database_time: AtomicI64::new(i64::MAX),
            clocks_differ: AtomicBool::default(),
            counted_events: AtomicI64::default(),
            mail_waits: tokio::sync::Notify::new(),
            full_outbox_told: AtomicI64::new(0),
            pending: Box::default(),
            last_seen: Box::default(),
        })
    }

    /// Password work done so far, in the units of [`countersign_password::Workspace::work`]. Only tests ask: by it
    /// they see that whoever is refused costs as much as whoever is let in.
    #[must_use]
    pub fn hashing_work(&self) -> u64 {
        self.hashing.work_done()
    }

    /// How tokens are made and read at this moment: keys may be exchanged while requests are served.
    fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The claims of a token that is good as such, and the keys by which it is. A token by a key that is not known here
    /// may be by one with which another process has just begun to sign.
    async fn decode(&self, token: &str, now: Timestamp) -> Result<(Arc<Tokens>, Claims), Error> {
        let tokens = self.tokens();
        let refused = match tokens.decode(token, now) {
            Ok(claims) => return Ok((tokens, claims)),
            Err(refused) => refused,
        };
        if refused != Refusal::Invalid || tokens.has_key_for(token) {
            return Err(refused.into());
        }
        self.look_for_keys().await?;
        let tokens = self.tokens();
        let claims = tokens.decode(token, now)?;
        Ok((tokens, claims))
    }

    /// Decodes a token and checks it as `kind`, blacklist included where the kind has one; and whom it names.
    async fn validate(&self, token: &str, kind: Kind, now: Timestamp) -> Result<(Claims, Holder), Error> {
        let (tokens, claims) = self.decode(token, now).await?;
        if !kind.can_be_blacklisted() {
            tokens.check(&claims, kind, now)?;
            let holder = self.holder_of(&claims, None).await?;
            return Ok((claims, holder));
        }
        let holder = self.holder_of(&claims, Some(self.jti(&claims)?)).await?;
        if holder.is_blacklisted {
            return Err(Refusal::Blacklisted.into());
        }
        tokens.check(&claims, kind, now)?;
        Ok((claims, holder))
    }

    /// The id of a token that can be blacklisted.
    fn jti<'a>(&self, claims: &'a Claims) -> Result<&'a str, Refusal> {
        claims.jti(&self.tokens().settings().jti_claim).ok_or(Refusal::NoId)
    }

    /// The user that a token's claim names, who need not exist.
    fn named_user(&self, claims: &Claims) -> Option<NamedUser> {
        let tokens = self.tokens();
        let claim = &tokens.settings().user_id_claim;
        match self.rules.user_id_field {
            UserIdField::Id => self.user_id_of(claims, claim).map(NamedUser::Id),
            UserIdField::Username => {
                Some(NamedUser::Username(claims.get(claim).and_then(|value| value.as_str())?.to_owned()))
            }
        }
    }

    /// The key in the claim, read as the model's field reads it. One of another kind is nobody's.
    fn user_id_of(&self, claims: &Claims, claim: &str) -> Option<UserId> {
        match (self.store.user_id_kind(), claims.user_id(claim)) {
            (UserIdKind::Number, UserIdClaim::Id(id)) => Some(UserId::new(id)),
            (UserIdKind::Number, _) => None,
            (UserIdKind::Uuid, _) => UserId::parse_uuid(claims.get(claim)?.as_str()?),
        }
    }

    /// What users log in with.
    #[must_use]
    pub fn login_field(&self) -> LoginField {
        self.store.login_field()
    }

    /// The name of a user, where that is another thing than the e-mail address; empty where not.
    pub(crate) fn name_of<'a>(&self, user: &'a User) -> &'a str {
        match self.login_field() {
            LoginField::Username => &user.username,
            LoginField::Email => "",
        }
    }

    /// The row of Django's tables for a token of `user`. Its text lacks the signature: a leaked table must not hand out
    /// sessions.
    fn token_row(&self, claims: &Claims, user: Option<UserId>, now: Timestamp) -> Result<NewToken, Error> {
        let text = self.tokens().unsigned(claims) + ".";
        let jti = self.jti(claims)?.to_owned();
        let expires_at = claims.expires_at().ok_or(Refusal::Invalid)?;
        Ok(NewToken { jti, text, user, created_at: now, expires_at })
    }
}

/// A new value for the claim `jti`: a random UUID in hexadecimal.
fn new_jti() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A token sent in the field `name` of a body.
fn parse_token_field(name: &'static str, submitted: Submitted) -> Result<Zeroizing<String>, Error> {
    let parsed = submitted.map_err(|error| vec![error]).and_then(|raw| countersign_domain::parse_text(&raw));
    parsed.map(Zeroizing::new).map_err(|errors| Error::Fields(vec![(name, errors)]))
}
