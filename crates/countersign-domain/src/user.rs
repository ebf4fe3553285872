//! Users: the row of Django's `auth_user`, and what is needed to make one.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::email::Email;
use crate::username::Username;

/// The primary key of a user, of one kind for all of a table. Shown as Django's `str(user.id)` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserId {
    /// Of Django's own table, and of most others.
    Number(i64),
    /// Of a table whose model says `UUIDField(primary_key=True)`.
    Uuid(Uuid),
}

/// Which kind of key a table of users has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserIdKind {
    /// Numbers.
    #[default]
    Number,
    /// UUIDs.
    Uuid,
}

/// What users log in with: the model's `USERNAME_FIELD`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoginField {
    /// A name, as in Django's own model.
    #[default]
    Username,
    /// The e-mail address; then there is no other name.
    Email,
}

impl LoginField {
    /// The field's name, which is that of its column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LoginField::Username => "username",
            LoginField::Email => "email",
        }
    }
}

impl UserId {
    /// A key that is a number.
    #[must_use]
    pub const fn new(id: i64) -> UserId {
        UserId::Number(id)
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn number(self) -> Option<i64> {
        match self {
            UserId::Number(number) => Some(number),
            UserId::Uuid(_) => None,
        }
    }

    /// The least key of this kind.
    #[must_use]
    pub const fn first(kind: UserIdKind) -> UserId {
        match kind {
            UserIdKind::Number => UserId::Number(i64::MIN),
            UserIdKind::Uuid => UserId::Uuid(Uuid::nil()),
        }
    }

    /// The least key after this one.
    #[must_use]
    pub fn next(self) -> Option<UserId> {
        match self {
            UserId::Number(number) => number.checked_add(1).map(UserId::Number),
            UserId::Uuid(uuid) => {
                uuid.as_u128().checked_add(1).map(|next| UserId::Uuid(Uuid::from_u128(next)))
            }
        }
    }

    /// The UUID in a text, read as Python's `uuid.UUID(text)` reads it: with or without hyphens, in any case, in braces
    /// or after `urn:uuid:`.
    #[must_use]
    pub fn parse_uuid(text: &str) -> Option<UserId> {
        let text = text.replace("urn:", "").replace("uuid:", "");
        let digits = text.trim_matches(['{', '}']).replace('-', "");
        let is_hexadecimal = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hexadecimal.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()?;
        Some(UserId::Uuid(Uuid::from_u128(number)))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserId::Number(number) => number.fmt(formatter),
            UserId::Uuid(uuid) => uuid.hyphenated().fmt(formatter),
        }
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
    /// Unique name, as stored: what the user logs in with, so the e-mail address where that is
    /// [`LoginField::Email`].
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
    /// Unique name, as it is to be stored; not looked at where users log in with their e-mail address.
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
    /// login. Without a username, the e-mail address is the name.
    #[must_use]
    pub fn registered(
        username: Option<&Username>,
        email: &Email,
        password_hash: PasswordHash,
        now: Timestamp,
    ) -> NewUser {
        NewUser {
            username: username.map_or_else(|| email.stored(), |username| username.stored().to_owned()),
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
