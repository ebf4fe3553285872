//! Why a token is refused.

/// Why a token is refused. `Display` is the exact sentence that clients get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Malformed, signed with another key or algorithm, not valid yet, or for another audience or by another issuer.
    #[error("Token is invalid")]
    Invalid,
    /// Past its `exp`.
    #[error("Token is expired")]
    Expired,
    /// On the blacklist; for the caller to find out.
    #[error("Token is blacklisted")]
    Blacklisted,
    /// Without the time claim of this name.
    #[error("Token has no '{0}' claim")]
    NoTimeClaim(String),
    /// The time claim of this name has passed.
    #[error("Token '{0}' claim has expired")]
    TimeClaimExpired(String),
    /// Without `jti`.
    #[error("Token has no id")]
    NoId,
    /// Without `token_type`.
    #[error("Token has no type")]
    NoType,
    /// Of another type.
    #[error("Token has wrong type")]
    WrongType,
}
