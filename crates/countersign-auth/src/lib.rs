//! The use-cases of Countersign: register, log in, refresh, verify, blacklist, authenticate, and the operator's.
//!
//! One file per use-case, each a method of [`Auth`]. What a use-case needs of the outside it is given: the store, the
//! keys, the clock. It knows nothing of HTTP: a refusal is an [`Error`], and the HTTP crate finds the words.

mod authenticate;
mod blacklist;
mod clock;
mod error;
mod hashing;
mod login;
mod refresh;
mod register;
mod users;
mod verify;

use countersign_domain::{PasswordPolicy, User, UserId};
use countersign_password::Hashers;
use countersign_store::{NewToken, Store};
use countersign_token::{Claims, Kind, Refusal, Tokens, UserIdClaim};
use jiff::Timestamp;

pub use clock::{Clock, ManualClock};
pub use error::{Error, FieldErrors, Submitted};
pub use hashing::HashingPool;
pub use login::{LoginOutcome, TokenPair};
pub use refresh::Refreshed;
pub use users::{NewAccount, UserError};

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
    /// The kinds of token that protected endpoints accept, in the order they are tried.
    pub auth_token_classes: Vec<Kind>,
    /// A Django serves the same database: recorded tokens keep their signature, as it would write them.
    pub django_peer: bool,
}

/// The use-cases. One per process, shared by all requests.
pub struct Auth {
    store: Store,
    hashing: HashingPool,
    tokens: Tokens,
    policy: PasswordPolicy,
    rules: Rules,
    clock: Clock,
}

impl Auth {
    /// Puts the use-cases together. Starts one hashing thread per core; they end when `Auth` is dropped.
    #[must_use]
    pub fn new(
        store: Store,
        hashers: Hashers,
        tokens: Tokens,
        policy: PasswordPolicy,
        rules: Rules,
        clock: Clock,
    ) -> Self {
        Self { store, hashing: HashingPool::start(hashers), tokens, policy, rules, clock }
    }

    /// Password work done so far, in the units of [`countersign_password::Workspace::work`]; for a metric.
    #[must_use]
    pub fn hashing_work(&self) -> u64 {
        self.hashing.work_done()
    }

    /// Decodes a token and checks it as `kind`, blacklist included where the kind has one.
    fn validate(&self, token: &str, kind: Kind, now: Timestamp) -> Result<Claims, Error> {
        let claims = self.tokens.decode(token, now)?;
        if kind.can_be_blacklisted() && self.store.is_blacklisted(self.jti(&claims)?)? {
            return Err(Refusal::Blacklisted.into());
        }
        self.tokens.check(&claims, kind, now)?;
        Ok(claims)
    }

    /// The id of a token that can be blacklisted.
    fn jti<'a>(&self, claims: &'a Claims) -> Result<&'a str, Refusal> {
        claims.jti(&self.tokens.settings().jti_claim).ok_or(Refusal::NoId)
    }

    /// The user that a token's claim names, if it names one that exists.
    fn find_user_of(&self, claims: &Claims) -> Result<Option<User>, Error> {
        match claims.user_id(&self.tokens.settings().user_id_claim) {
            UserIdClaim::Id(id) => Ok(self.store.find_user(UserId::new(id))?),
            _ => Ok(None),
        }
    }

    /// The row to record for a token of `user`.
    fn token_row(
        &self,
        claims: &Claims,
        encoded: &str,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Result<NewToken, Error> {
        let text = match encoded.rsplit_once('.') {
            // A leaked table must not hand out sessions.
            Some((signed_part, _)) if !self.rules.django_peer => format!("{signed_part}."),
            _ => encoded.to_owned(),
        };
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
fn parse_token_field(name: &'static str, submitted: Submitted) -> Result<String, Error> {
    let parsed = submitted.map_err(|error| vec![error]).and_then(|raw| countersign_domain::parse_text(&raw));
    parsed.map_err(|errors| Error::Fields(vec![(name, errors)]))
}
