//! How tokens are made and checked: Simple JWT's settings, typed.

use crate::json::Value;
use jiff::SignedDuration;

/// Simple JWT's settings that concern the token itself; the default is Simple JWT's.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `ACCESS_TOKEN_LIFETIME`.
    pub access_lifetime: SignedDuration,
    /// `REFRESH_TOKEN_LIFETIME`.
    pub refresh_lifetime: SignedDuration,
    /// `SLIDING_TOKEN_LIFETIME`.
    pub sliding_lifetime: SignedDuration,
    /// `SLIDING_TOKEN_REFRESH_LIFETIME`.
    pub sliding_refresh_lifetime: SignedDuration,
    /// `LEEWAY`: how far clocks may differ when times are checked.
    pub leeway: SignedDuration,
    /// `AUDIENCE`: written as `aud`, and demanded. When `None`, `aud` is ignored.
    pub audience: Option<Audience>,
    /// `ISSUER`: written as `iss`, and demanded. When `None`, `iss` is ignored.
    pub issuer: Option<String>,
    /// `TOKEN_TYPE_CLAIM`.
    pub token_type_claim: String,
    /// `JTI_CLAIM`.
    pub jti_claim: String,
    /// `USER_ID_CLAIM`.
    pub user_id_claim: String,
    /// `REVOKE_TOKEN_CLAIM`: holds the digest of the password's hash.
    pub revoke_token_claim: String,
    /// `SLIDING_TOKEN_REFRESH_EXP_CLAIM`.
    pub sliding_refresh_exp_claim: String,
    /// The claim that names the session a token belongs to (`sid`, as in `OpenID` Connect Front-Channel Logout 1.0);
    /// `None` leaves it out, as Simple JWT does.
    pub session_claim: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_lifetime: SignedDuration::from_mins(5),
            refresh_lifetime: SignedDuration::from_hours(24),
            sliding_lifetime: SignedDuration::from_mins(5),
            sliding_refresh_lifetime: SignedDuration::from_hours(24),
            leeway: SignedDuration::ZERO,
            audience: None,
            issuer: None,
            token_type_claim: "token_type".to_owned(),
            jti_claim: "jti".to_owned(),
            user_id_claim: "user_id".to_owned(),
            revoke_token_claim: "hash_password".to_owned(),
            sliding_refresh_exp_claim: "refresh_exp".to_owned(),
            session_claim: None,
        }
    }
}

/// Whom tokens are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One audience, written as a string.
    One(String),
    /// Several, written as a list; a token for any of them is good.
    List(Vec<String>),
}

impl Audience {
    pub(crate) fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::List(list) => list.iter().any(|one| one == audience),
        }
    }

    pub(crate) fn to_claim(&self) -> Value {
        match self {
            Self::One(one) => Value::from(one.as_str()),
            Self::List(list) => Value::Array(list.iter().map(|one| Value::from(one.as_str())).collect()),
        }
    }
}

/// The token classes of Simple JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `AccessToken`.
    Access,
    /// `RefreshToken`: exchanged for access tokens, can be blacklisted.
    Refresh,
    /// `SlidingToken`: both at once.
    Sliding,
    /// `UntypedToken`: any of them.
    Untyped,
}

impl Kind {
    /// The value of the claim `token_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
            Self::Untyped => "untyped",
        }
    }

    /// The name of the Python class, as error answers name it.
    #[must_use]
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Access => "AccessToken",
            Self::Refresh => "RefreshToken",
            Self::Sliding => "SlidingToken",
            Self::Untyped => "UntypedToken",
        }
    }

    /// Whether the blacklist is consulted for it.
    #[must_use]
    pub fn can_be_blacklisted(self) -> bool {
        matches!(self, Self::Refresh | Self::Sliding)
    }
}
