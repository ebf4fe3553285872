//! Users: the row of Django's `auth_user`, and what is needed to make one.

use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::email::Email;
use crate::username::Username;

/// The primary key of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(i64);

impl UserId {
    /// Wraps a key read from the database or from a claim.
    #[must_use]
    pub const fn new(id: i64) -> UserId {
        UserId(id)
    }

    /// The key as a number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A stored password string in one of Django's formats, or an unusable one (`!…`). Wiped on drop, never
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Zeroizing<String>);

impl PasswordHash {
    /// Wraps what the database holds or a hasher made; nothing is checked.
    #[must_use]
    pub fn new(encoded: String) -> PasswordHash {
        PasswordHash(Zeroizing::new(encoded))
    }

    /// The stored string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(..)")
    }
}

/// A row of `auth_user`. The names are plain strings, because a database may hold what registration would
/// refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Primary key.
    pub id: UserId,
    /// Unique name, as stored.
    pub username: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// Stored password string.
    pub password_hash: PasswordHash,
    /// Inactive users cannot log in.
    pub is_active: bool,
    /// May use Django's admin.
    pub is_staff: bool,
    /// Has all of Django's permissions.
    pub is_superuser: bool,
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// When the user last logged in, if that was ever recorded.
    pub last_login: Option<Timestamp>,
    /// When the account was made.
    pub date_joined: Timestamp,
}

/// A user to insert; the fields mean what they mean in [`User`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Unique name, as it is to be stored.
    pub username: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// Stored password string.
    pub password_hash: PasswordHash,
    /// Inactive users cannot log in.
    pub is_active: bool,
    /// May use Django's admin.
    pub is_staff: bool,
    /// Has all of Django's permissions.
    pub is_superuser: bool,
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// When the user last logged in, if ever.
    pub last_login: Option<Timestamp>,
    /// When the account was made.
    pub date_joined: Timestamp,
}

impl NewUser {
    /// An ordinary user as registration makes one: active, neither staff nor superuser, without names or a
    /// login.
    #[must_use]
    pub fn registered(
        username: &Username,
        email: &Email,
        password_hash: PasswordHash,
        now: Timestamp,
    ) -> NewUser {
        NewUser {
            username: username.stored().to_owned(),
            email: email.stored(),
            password_hash,
            is_active: true,
            is_staff: false,
            is_superuser: false,
            first_name: String::new(),
            last_name: String::new(),
            last_login: None,
            date_joined: now,
        }
    }

    /// The row that the database made of it.
    #[must_use]
    pub fn with_id(self, id: UserId) -> User {
        User {
            id,
            username: self.username,
            email: self.email,
            password_hash: self.password_hash,
            is_active: self.is_active,
            is_staff: self.is_staff,
            is_superuser: self.is_superuser,
            first_name: self.first_name,
            last_name: self.last_name,
            last_login: self.last_login,
            date_joined: self.date_joined,
        }
    }
}
