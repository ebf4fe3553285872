//! What the settings say of keys.

use std::path::PathBuf;

use countersign_store::KeyState;
use countersign_token::{Algorithm, KeyError, Keys, Mac, Settings, VerifyingKey};
use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::directory;
use super::error::KeyRingError;
use super::sealing::Sealing;

/// `KEY_PUBLISH_WINDOW`, when nothing is said.
const PUBLISH_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How long after a rotation the last server has taken notice of it, with much to spare: they look every second.
const TAKING_NOTICE: SignedDuration = SignedDuration::from_mins(1);

/// How tokens are made, the configured key, and where the ring is kept.
pub struct ConfiguredKeys {
    pub(super) settings: Settings,
    pub(super) algorithm: Algorithm,
    pub(super) sealing: Sealing,
    /// Where the ring is, when it is files.
    pub(super) directory: Option<PathBuf>,
    pub(super) publish_window: SignedDuration,
    secret_key: Zeroizing<Vec<u8>>,
    former: Vec<Zeroizing<Vec<u8>>>,
    signing: Zeroizing<Vec<u8>>,
    verifying: Vec<u8>,
}

impl ConfiguredKeys {
    /// Tokens signed by `SECRET_KEY` with HS256, and a ring in the database, sealed under it.
    pub fn new(settings: Settings, secret_key: &[u8]) -> Result<Self, KeyError> {
        let configured = Self {
            settings,
            algorithm: Algorithm::HS256,
            sealing: Sealing::new(secret_key, &[]),
            directory: None,
            publish_window: PUBLISH_WINDOW,
            secret_key: Zeroizing::new(secret_key.to_vec()),
            former: Vec::new(),
            signing: Zeroizing::new(secret_key.to_vec()),
            verifying: Vec::new(),
        };
        configured.keys()?;
        Ok(configured)
    }

    /// Tokens signed otherwise: Simple JWT's `ALGORITHM`, `SIGNING_KEY` and `VERIFYING_KEY`; see [`Keys::new`].
    pub fn signed_by(
        self,
        algorithm: Algorithm,
        signing_key: &[u8],
        verifying_key: &[u8],
    ) -> Result<Self, KeyError> {
        let signing = Zeroizing::new(signing_key.to_vec());
        let configured = Self { algorithm, signing, verifying: verifying_key.to_vec(), ..self };
        configured.keys()?;
        Ok(configured)
    }

    /// Former values of `SECRET_KEY`: what they sealed can be opened, and, where `SECRET_KEY` signs, the tokens that
    /// they signed are good.
    pub fn with_fallbacks(self, former: Vec<Zeroizing<Vec<u8>>>) -> Result<Self, KeyError> {
        let configured = Self { sealing: Sealing::new(&self.secret_key, &former), former, ..self };
        configured.former_secrets()?;
        Ok(configured)
    }

    /// How long a key is published before it may sign.
    #[must_use]
    pub fn with_publish_window(self, publish_window: SignedDuration) -> Self {
        Self { publish_window, ..self }
    }

    /// A ring of the key files in a directory, in place of the one in the database.
    #[must_use]
    pub fn in_directory(self, directory: PathBuf) -> Self {
        Self { directory: Some(directory), ..self }
    }

    /// What only `SECRET_KEY` can prove, for one purpose.
    pub(crate) fn mac(&self, purpose: &[u8]) -> Mac {
        Mac::derive(&self.secret_key, purpose)
    }

    /// The same by its former values.
    pub(crate) fn former_macs(&self, purpose: &[u8]) -> Vec<Mac> {
        self.former.iter().map(|secret| Mac::derive(secret, purpose)).collect()
    }

    /// The files with private keys, each of which can be used; none when the ring is in the database.
    pub fn private_key_files(&self) -> Result<Vec<PathBuf>, KeyRingError> {
        let Some(directory) = &self.directory else { return Ok(Vec::new()) };
        let files = directory::read(directory)?;
        directory::open(&files)?;
        Ok(files.iter().filter(|file| file.is_private()).map(|file| directory.join(&file.name)).collect())
    }

    /// The configured pair.
    pub(super) fn keys(&self) -> Result<Keys, KeyError> {
        Keys::new(self.algorithm, &self.signing, &self.verifying)
    }

    /// Whether the ring is files of which none signs. (One that cannot be read is refused when it is opened.)
    #[must_use]
    pub fn is_directory_without_signing_key(&self) -> bool {
        let files = self.directory.as_deref().and_then(|path| directory::read(path).ok());
        files.is_some_and(|files| files.iter().all(|file| file.state != KeyState::Signing))
    }

    /// The configured key, where it does not sign any more.
    pub(super) fn verifying(&self) -> Result<VerifyingKey, KeyError> {
        let is_one_key = self.algorithm.is_symmetric() || self.verifying.is_empty();
        VerifyingKey::new(self.algorithm, if is_one_key { &self.signing } else { &self.verifying })
    }

    /// The former secrets whose tokens are good.
    pub(super) fn former_secrets(&self) -> Result<Vec<VerifyingKey>, KeyError> {
        if !self.algorithm.is_symmetric() || self.signing != self.secret_key {
            return Ok(Vec::new());
        }
        self.former.iter().map(|secret| VerifyingKey::new(self.algorithm, secret)).collect()
    }

    /// How long after a key has ceased to sign a token of it may still be good.
    pub(super) fn needed_after_signing(&self) -> SignedDuration {
        let Settings { access_lifetime, refresh_lifetime, sliding_lifetime, .. } = self.settings;
        let lifetimes =
            [access_lifetime, refresh_lifetime, sliding_lifetime, self.settings.sliding_refresh_lifetime];
        let longest = lifetimes.into_iter().max().unwrap_or_default();
        longest.saturating_add(self.settings.leeway).saturating_add(TAKING_NOTICE)
    }
}
