//! Why keys cannot be used or changed, in sentences for the operator, each with what to do.

use countersign_store::StoreError;
use countersign_token::KeyError;
use jiff::{SignedDuration, Timestamp};

/// Why the key ring cannot be used, or a command was refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The database could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configured key, or a new one, cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A private key in the database was sealed under a secret that is not known here.
    #[error(
        "SECRET_KEY does not open the signing key {kid} in the database: add the former SECRET_KEY to \
         SECRET_KEY_FALLBACKS, or, if it is lost, replace the key with `countersign keys generate --force`, \
         `countersign keys rotate --now` and `countersign keys retire {kid} --now`"
    )]
    Sealed {
        /// The key.
        kid: String,
    },
    /// A private key in the database opens, but cannot be used.
    #[error(
        "the signing key {kid} in the database cannot be used: {reason}; replace it with `countersign keys generate`, \
         `countersign keys rotate --now` and `countersign keys retire {kid} --now`"
    )]
    Unusable {
        /// The key.
        kid: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something is wrong with the ring of files.
    #[error("SIGNING_KEYS_DIR: {0}")]
    Directory(String),
    /// The ring of files is not changed here.
    #[error(
        "SIGNING_KEYS_DIR holds the keys, and they are changed there: NAME.next.pem, NAME.signing.pem, \
         NAME.verifying.pem"
    )]
    ReadOnly,
    /// A key pair was asked for of an algorithm that has none.
    #[error("{0} signs with a shared secret, which cannot be published; use EdDSA, ES256 or RS256")]
    Symmetric(&'static str),
    /// There is a next key already.
    #[error(
        "{kid} is the next key already; let it sign with `countersign keys rotate`, or drop it with \
         `countersign keys retire {kid}`"
    )]
    NextExists {
        /// The key.
        kid: String,
    },
    /// There is nothing to rotate to.
    #[error("there is no next key to rotate to; make one with `countersign keys generate`")]
    NoNext,
    /// The next key may not sign yet.
    #[error(
        "verifiers may not have fetched {kid} yet: it may sign in {} (KEY_PUBLISH_WINDOW); wait, or add --now",
        in_whole_seconds(*.remaining)
    )]
    TooYoung {
        /// The next key.
        kid: String,
        /// For how long it is still to be published only.
        remaining: SignedDuration,
    },
    /// The key that signs cannot be retired.
    #[error(
        "{kid} signs; let another one sign first, with `countersign keys generate` and `countersign keys rotate`"
    )]
    Signs {
        /// The key.
        kid: String,
    },
    /// Tokens that the key signed may be good.
    #[error("tokens that {kid} signed may be good until {until:.0}; retire it then, or end them with --now")]
    StillNeeded {
        /// The key.
        kid: String,
        /// When the last of them expires.
        until: Timestamp,
    },
    /// The key was retired before.
    #[error("{kid} is retired already; `countersign keys list` shows those that are not")]
    RetiredAlready {
        /// The key.
        kid: String,
    },
    /// There is no such key.
    #[error("no key is called {0:?}; `countersign keys list` shows them")]
    NotFound(String),
    /// Another operator was faster.
    #[error(
        "somebody else changed the keys at the same time; look at `countersign keys list`, and try again"
    )]
    Changed,
}

/// Rounded up, so that it is true.
fn in_whole_seconds(duration: SignedDuration) -> String {
    let up = i64::from(duration.subsec_nanos() > 0);
    format!("{:#}", SignedDuration::from_secs(duration.as_secs() + up))
}
