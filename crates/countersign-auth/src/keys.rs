//! The key ring: which keys sign and verify tokens, and the operator's ways to change that.
//!
//! A key is published before it signs (`next`), signs, verifies what it signed (`verifying`), and is `retired`. What the
//! settings name, `SECRET_KEY` or `SIGNING_KEY`, is the configured key: it signs until the first rotation, and its
//! tokens have no `kid`, as in Simple JWT.

mod configured;
mod directory;
mod error;
mod operator;
mod reload;
mod sealing;
mod status;

use countersign_store::{KeyState, Store, StoredKey};
use countersign_token::{Algorithm, KeyError, Keys, Tokens, VerifyingKey};
use zeroize::Zeroizing;

use self::directory::KeyFile;
use crate::Clock;

pub use configured::ConfiguredKeys;
pub use error::KeyRingError;
pub use operator::Rotated;
pub use reload::KeySet;
pub(crate) use reload::LastLook;
pub use status::KeyStatus;

/// What stands for the configured key where a key has a name.
const CONFIGURED: &str = "configured";

/// The keys of a service. The command line changes them beside the server, which reads them anew.
pub struct KeyRing {
    store: Store,
    configured: ConfiguredKeys,
    clock: Clock,
}

/// The ring as it is kept: cheap to read and to compare, as nothing in it is opened yet.
#[derive(PartialEq, Eq)]
pub(crate) enum Kept {
    /// Rows of the database.
    Rows(Vec<StoredKey>),
    /// Files of `SIGNING_KEYS_DIR`.
    Files(Vec<KeyFile>),
}

/// A key of the ring that signs or verifies, opened.
struct OpenKey {
    /// Its `kid`, or its file.
    name: String,
    algorithm: Algorithm,
    state: KeyState,
    pem: Zeroizing<Vec<u8>>,
}

impl KeyRing {
    /// The ring that belongs to what was configured. Nothing is read yet.
    #[must_use]
    pub fn new(store: Store, configured: ConfiguredKeys, clock: Clock) -> Self {
        Self { store, configured, clock }
    }

    /// Whether every key can be used; a start would be refused for the same reason. The next key, which a start passes over
    /// if it cannot be used, is given back as why.
    pub async fn check(&self) -> Result<Option<KeyRingError>, KeyRingError> {
        let kept = self.kept().await?;
        self.tokens(&kept)?;
        let Kept::Rows(rows) = kept else { return Ok(None) };
        let mut next = rows.iter().filter(|row| row.state == KeyState::Next);
        Ok(next.find_map(|row| self.configured.sealing.open(row).err()))
    }

    pub(crate) async fn kept(&self) -> Result<Kept, KeyRingError> {
        match &self.configured.directory {
            None => Ok(Kept::Rows(self.store.list_keys().await?)),
            Some(path) => Ok(Kept::Files(directory::read(path)?)),
        }
    }

    /// How tokens are made and read with these keys.
    pub(crate) fn tokens(&self, kept: &Kept) -> Result<Tokens, KeyRingError> {
        let ring = self.open(kept)?;
        let unusable = |key: &OpenKey, error: &KeyError| kept.unusable(&key.name, error);
        let signing = ring.iter().find(|key| key.state == KeyState::Signing);
        let mut keys = match signing {
            Some(key) => Keys::named(key.algorithm, &key.pem).map_err(|error| unusable(key, &error))?,
            None => self.configured.keys()?,
        };
        let mut published = Vec::new();
        for key in signing.into_iter().chain(ring.iter().filter(|key| key.state != KeyState::Signing)) {
            let verifying = match key.verifying().map_err(|error| unusable(key, &error)) {
                Err(error) if key.state == KeyState::Next => {
                    complain_of_next(&error);
                    continue;
                }
                verifying => verifying?,
            };
            let id = id(&verifying);
            if !published.contains(&id) && key.state != KeyState::Signing {
                keys = keys.also_verifying(verifying);
            }
            published.push(id);
        }
        if kept.state_of_configured() != KeyState::Retired {
            // One that was moved into the ring as well is published once.
            if signing.is_some() && !published.contains(&id(&self.configured.verifying()?.named())) {
                keys = keys.also_verifying(self.configured.verifying()?);
            }
            for former in self.configured.former_secrets()? {
                keys = keys.also_verifying(former);
            }
        }
        Ok(Tokens::new(self.configured.settings.clone(), keys))
    }

    fn open(&self, kept: &Kept) -> Result<Vec<OpenKey>, KeyRingError> {
        match kept {
            Kept::Rows(rows) => {
                let used = rows.iter().filter(|row| row.state != KeyState::Retired && row.kid != CONFIGURED);
                let opened = used.map(|row| (row.state, self.configured.sealing.open(row)));
                let is_to_be_used = |(state, key): &(KeyState, Result<OpenKey, KeyRingError>)| match key {
                    Err(error) if *state == KeyState::Next => {
                        complain_of_next(error);
                        false
                    }
                    _ => true,
                };
                opened.filter(is_to_be_used).map(|(_, key)| key).collect()
            }
            Kept::Files(files) => directory::open(files),
        }
    }
}

/// A key that signs nothing yet and cannot be used, say for it was made under another `SECRET_KEY`, is passed over: it must
/// neither keep a server from starting nor what was retired in use.
fn complain_of_next(error: &KeyRingError) {
    tracing::error!(%error, "the next signing key is not published");
}

/// What tells a key pair from every other.
fn id(key: &VerifyingKey) -> (Algorithm, Option<String>) {
    (key.algorithm(), key.kid().map(str::to_owned))
}

impl OpenKey {
    fn verifying(&self) -> Result<VerifyingKey, KeyError> {
        Ok(VerifyingKey::new(self.algorithm, &self.pem)?.named())
    }
}

impl Kept {
    /// Where the configured key is in its life.
    fn state_of_configured(&self) -> KeyState {
        let (own, another_signs) = match self {
            Self::Rows(rows) => (
                rows.iter().find(|row| row.kid == CONFIGURED).map(|row| row.state),
                rows.iter().any(|row| row.state == KeyState::Signing),
            ),
            Self::Files(files) => (
                files.iter().find(|file| file.is_configured()).map(|file| file.state),
                files.iter().any(|file| file.state == KeyState::Signing),
            ),
        };
        own.unwrap_or(if another_signs { KeyState::Verifying } else { KeyState::Signing })
    }

    /// Whether the files of a ring signed before, and none does now: they were lost, as nothing else would end that.
    fn has_lost_what_signed(&self, before: &Self) -> bool {
        let signs = |kept: &Self| match kept {
            Self::Rows(_) => false,
            Self::Files(files) => files.iter().any(|file| file.state == KeyState::Signing),
        };
        signs(before) && !signs(self)
    }

    fn unusable(&self, name: &str, reason: &dyn std::fmt::Display) -> KeyRingError {
        match self {
            Self::Rows(_) => KeyRingError::Unusable { kid: name.to_owned(), reason: reason.to_string() },
            Self::Files(_) => directory::unusable(name, reason),
        }
    }
}
