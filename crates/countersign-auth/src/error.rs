//! Every reason for which a use-case refuses.

use countersign_domain::{FieldError, RawText};
use countersign_store::StoreError;
use countersign_token::{Kind, Refusal};

use crate::KeyRingError;

/// One field of a request as the body had it: its text, or why there is none.
pub type Submitted = Result<RawText, FieldError>;

/// The fields that were refused, in the order of the form, each with all its reasons.
pub type FieldErrors = Vec<(&'static str, Vec<FieldError>)>;

/// The refusal of a form in which at least one of these fields is wrong.
pub(crate) fn refused_fields<const N: usize>(errors: [(&'static str, Option<Vec<FieldError>>); N]) -> Error {
    let refused = errors.into_iter().filter_map(|(name, errors)| errors.map(|errors| (name, errors)));
    Error::Fields(refused.collect())
}

/// Why a use-case refused, or could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are missing or wrong.
    #[error("fields were refused: {0:?}")]
    Fields(FieldErrors),
    /// Login: no such user, wrong password, or inactive. Which of them is not told.
    #[error("no active account with these credentials")]
    NoActiveAccount,
    /// Refresh: the token's user is inactive or does not exist.
    #[error("no active account for this token")]
    NoActiveAccountForToken,
    /// A token in a body is not good.
    #[error("{0}")]
    Token(#[from] Refusal),
    /// Refresh: the token was exchanged before, and its session has ended for that. Clients see a blacklisted token.
    #[error("{}", Refusal::Blacklisted)]
    RefreshTokenReused,
    /// Verify: the token is good but blacklisted.
    #[error("the token to verify is blacklisted")]
    VerifiedTokenBlacklisted,
    /// A bearer token is not good as any of the accepted kinds.
    #[error("the bearer token was refused: {0:?}")]
    BearerToken(Vec<(Kind, Refusal)>),
    /// A bearer token names no user.
    #[error("the bearer token names no user")]
    NoUserIdentification,
    /// A bearer token names a user that does not exist.
    #[error("the bearer token's user does not exist")]
    UserNotFound,
    /// A bearer token names an inactive user.
    #[error("the bearer token's user is inactive")]
    UserInactive,
    /// `CHECK_REVOKE_TOKEN`: the password is not the one the token was issued under.
    #[error("the password has changed since the bearer token was issued")]
    PasswordChanged,
    /// The bearer token is good, but its user lacks what is needed.
    #[error("the user may not do this")]
    PermissionDenied,
    /// Logout: the bearer token belongs to no session, so that there is none to end.
    #[error("the bearer token belongs to no session")]
    NoSession,
    /// The user has no such session that could be ended.
    #[error("the user has no such session")]
    SessionNotFound,
    /// Too many attempts were made; the next may come after so many seconds.
    #[error("too many attempts")]
    Throttled {
        /// Seconds, at least one.
        wait_secs: u64,
    },
    /// Too many passwords are waiting to be hashed, or this one has waited too long.
    #[error("too many passwords wait to be hashed")]
    Overloaded,
    /// Too many messages are waiting to be sent.
    #[error("too many messages wait to be sent")]
    OutboxFull,
    /// A token is by a key that is not known here, and the database cannot be asked for it.
    #[error("an unknown signing key cannot be looked for: {0}")]
    KeysOutOfReach(String),
    /// The database could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// The rule that refused, as an operator is told who asks why.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Fields(_) => "fields",
            Self::NoActiveAccount => "no_active_account",
            Self::NoActiveAccountForToken => "no_active_account_for_token",
            Self::Token(refusal) => rule_of(refusal),
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::VerifiedTokenBlacklisted => "token_blacklisted_or_session_ended",
            Self::BearerToken(refusals) => refusals.first().map_or("no_token_class", |(_, why)| rule_of(why)),
            Self::NoUserIdentification => "token_names_no_user",
            Self::UserNotFound => "user_not_found",
            Self::UserInactive => "user_inactive",
            Self::PasswordChanged => "password_changed",
            Self::PermissionDenied => "permission_denied",
            Self::NoSession => "token_without_session",
            Self::SessionNotFound => "session_not_found",
            Self::Throttled { .. } => "throttled",
            Self::Overloaded => "too_many_passwords_wait",
            Self::OutboxFull => "too_many_messages_wait",
            Self::KeysOutOfReach(_) => "keys_out_of_reach",
            Self::Store(_) => "database",
        }
    }
}

fn rule_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Invalid => "token_malformed_or_forged",
        Refusal::Expired | Refusal::TimeClaimExpired(_) => "token_expired",
        Refusal::Blacklisted => "token_blacklisted_or_session_ended",
        Refusal::NoTimeClaim(_) => "token_without_time",
        Refusal::NoId => "token_without_id",
        Refusal::NoType => "token_without_type",
        Refusal::WrongType => "token_of_another_type",
    }
}

/// Why the use-cases could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The hashing workers do not fit in the memory that there is.
    #[error("{0}")]
    Memory(String),
    /// The hashes that are stored cannot be looked at.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refuses threads.
    #[error(
        "the hashing threads cannot start: {0}; set a smaller HASHING_WORKERS, or raise the limit on threads"
    )]
    Threads(#[from] std::io::Error),
}
