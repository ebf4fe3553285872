//! The algorithms a stored hash may name.

/// One of Django's built-in password hashers, known by its `algorithm` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// PBKDF2 with HMAC-SHA-256 (RFC 8018); Django's default.
    Pbkdf2Sha256,
    /// PBKDF2 with HMAC-SHA-1 (RFC 8018).
    Pbkdf2Sha1,
    /// Argon2 (RFC 9106); Django writes argon2id and reads argon2i and argon2d as well.
    Argon2,
    /// bcrypt of the password's SHA-256 in hex, so that no byte of a long password is lost.
    BcryptSha256,
    /// scrypt (RFC 7914).
    Scrypt,
    /// Plain bcrypt, for passwords of at most 72 bytes. Not in Django's default list.
    Bcrypt,
    /// One round of salted MD5. Breakable; accept it only to replace it at the next login.
    Md5,
}

impl Algorithm {
    /// What Django accepts when `PASSWORD_HASHERS` is not set.
    pub const DJANGO_DEFAULT: [Self; 5] =
        [Self::Pbkdf2Sha256, Self::Pbkdf2Sha1, Self::Argon2, Self::BcryptSha256, Self::Scrypt];

    /// Everything this crate can verify.
    pub const ALL: [Self; 7] = [
        Self::Pbkdf2Sha256,
        Self::Pbkdf2Sha1,
        Self::Argon2,
        Self::BcryptSha256,
        Self::Scrypt,
        Self::Bcrypt,
        Self::Md5,
    ];

    /// Django's identifier, the text before the first `$` of a stored hash.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pbkdf2Sha256 => "pbkdf2_sha256",
            Self::Pbkdf2Sha1 => "pbkdf2_sha1",
            Self::Argon2 => "argon2",
            Self::BcryptSha256 => "bcrypt_sha256",
            Self::Scrypt => "scrypt",
            Self::Bcrypt => "bcrypt",
            Self::Md5 => "md5",
        }
    }

    /// The algorithm with this identifier; the comparison is exact, as in Django.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}
