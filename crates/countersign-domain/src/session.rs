//! Sessions: what a login makes, what its tokens share, and what a presented refresh token means for it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::UserId;

/// The id of a session, as the claim `sid` carries it: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// The id in `text`, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a session ended before it expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its user logged out of it, here or from another session.
    LoggedOut,
    /// Its refresh token was blacklisted, as clients of Simple JWT log out. Its access tokens stay good until they
    /// expire, as they do there.
    Blacklisted,
    /// A refresh token that had been exchanged was presented again.
    RefreshTokenReused,
    /// The user's password changed.
    PasswordChanged,
    /// The account was deactivated.
    Deactivated,
    /// An operator ended it.
    Operator,
}

impl EndReason {
    const ALL: [Self; 6] = [
        Self::LoggedOut,
        Self::Blacklisted,
        Self::RefreshTokenReused,
        Self::PasswordChanged,
        Self::Deactivated,
        Self::Operator,
    ];

    /// The word that the database keeps.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Blacklisted => "blacklisted",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::PasswordChanged => "password_changed",
            Self::Deactivated => "deactivated",
            Self::Operator => "operator",
        }
    }

    /// The reason with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Who logs in or refreshes, as far as the connection tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The address it comes from.
    pub address: Option<String>,
    /// What it calls itself (`User-Agent`); empty if it does not.
    pub name: String,
}

impl Client {
    /// The longest name that is kept, in characters.
    const MAX_NAME: usize = 200;

    /// A client of this address and name; of the name, what can be printed, and no more than is of use.
    #[must_use]
    pub fn new(address: Option<String>, name: &str) -> Self {
        let name = name.chars().filter(|character| !character.is_control()).take(Self::MAX_NAME).collect();
        Self { address, name }
    }
}

/// A session: one login on one device, and everything that was refreshed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// How often its refresh token was exchanged for a successor.
    pub generation: u32,
    /// The `jti` of the refresh token that the present one was exchanged for.
    pub replaced_jti: Option<String>,
    /// When the present refresh token was made.
    pub rotated_at: Timestamp,
    /// When its user logged in.
    pub created_at: Timestamp,
    /// When a token of it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When the present refresh token expires.
    pub expires_at: Timestamp,
    /// When and why it ended, if it has.
    pub ended: Option<(Timestamp, EndReason)>,
    /// Where the login came from.
    pub client: Client,
}

/// Which refresh token of a session was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The one of this generation.
    Generation(u32),
    /// One that another service made for the session: a Django on the same database, or before us.
    Foreign,
}

/// What is to be done with a presented refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It is the present one: exchange it.
    Advance,
    /// It was exchanged just now, by another tab or in an answer that was lost: the successor is handed out again.
    Repeat,
    /// It was exchanged before, and somebody else holds its successor: the session has to end.
    Reuse,
    /// The session has ended, or was never at that generation.
    Refuse,
}

impl Session {
    /// How old "last seen" is when a use is to be noted again, so that it costs at most one write a minute. It is noted a moment later.
    pub const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(60);

    /// Whether a presented refresh token was exchanged for the present one, or for one before it.
    #[must_use]
    pub fn has_exchanged(&self, presented: Presented) -> bool {
        matches!(presented, Presented::Generation(generation) if generation < self.generation)
    }

    /// Whether its access tokens are refused.
    #[must_use]
    pub fn refuses_access(&self) -> bool {
        self.ended.is_some_and(|(_, reason)| reason != EndReason::Blacklisted)
    }

    /// Whether it is time to note that it is in use.
    #[must_use]
    pub fn is_to_be_seen(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now.duration_since(self.last_seen_at) >= Self::SEEN_EVERY
    }

    /// Whether a presented refresh token with the id `jti` is the present one, that was not exchanged yet.
    #[must_use]
    pub fn is_at(&self, presented: Presented, jti: &str) -> bool {
        match presented {
            Presented::Generation(generation) => generation == self.generation,
            Presented::Foreign => self.replaced_jti.as_deref() != Some(jti),
        }
    }

    /// What a presented refresh token with the id `jti` means for the session (RFC 9700 §4.14.2).
    ///
    /// `grace` is how long an exchanged token may still be presented while its successor has not been. With
    /// `ends_exchanged` an exchanged token is bad from then on; without, it stays good for its session, as in Simple JWT
    /// without `BLACKLIST_AFTER_ROTATION`.
    #[must_use]
    pub fn rotation(
        &self,
        presented: Presented,
        jti: &str,
        now: Timestamp,
        grace: SignedDuration,
        ends_exchanged: bool,
    ) -> Rotation {
        let was_replaced = self.replaced_jti.as_deref() == Some(jti);
        let is_ahead = matches!(presented, Presented::Generation(ahead) if ahead > self.generation);
        // Another process's clock may be a little ahead; without any grace nothing is within it.
        let is_in_grace = now.duration_since(self.rotated_at).abs() < grace;
        if self.ended.is_some() || is_ahead {
            Rotation::Refuse
        } else if self.is_at(presented, jti) {
            Rotation::Advance
        } else if is_in_grace && (was_replaced || !ends_exchanged) {
            Rotation::Repeat
        } else if ends_exchanged {
            Rotation::Reuse
        } else {
            Rotation::Advance
        }
    }
}
