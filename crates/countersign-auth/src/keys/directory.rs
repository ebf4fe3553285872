//! A ring of files, which somebody else writes: `NAME.next.pem`, `NAME.signing.pem`, `NAME.verifying.pem`.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::Path;

use countersign_store::KeyState;
use countersign_token::{Algorithm, KeyError, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::OpenKey;
use super::error::KeyRingError;

/// An empty file of this name retires the configured key.
const CONFIGURED_RETIRED: &str = "configured.retired";
/// What a key may be for: its type and curve tell which.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::ES256K,
    Algorithm::RS256,
];

/// A file of the ring, as it was read.
#[derive(PartialEq, Eq)]
pub(crate) struct KeyFile {
    pub(super) name: String,
    pub(super) state: KeyState,
    text: Zeroizing<Vec<u8>>,
}

impl KeyFile {
    pub(super) fn is_configured(&self) -> bool {
        self.name == CONFIGURED_RETIRED
    }

    pub(super) fn is_private(&self) -> bool {
        const MARK: &[u8] = b"PRIVATE KEY-----";
        self.text.windows(MARK.len()).any(|part| part == MARK)
    }

    /// The key, its algorithm told by its type and curve.
    pub(super) fn open(&self) -> Result<OpenKey, KeyRingError> {
        let unusable = |error: KeyError| unusable(&self.name, &error);
        let algorithm = self.algorithm()?;
        if self.state != KeyState::Verifying {
            SigningKey::new(algorithm, &self.text).map_err(unusable)?;
        }
        Ok(OpenKey { name: self.name.clone(), algorithm, state: self.state, pem: self.text.clone() })
    }

    fn algorithm(&self) -> Result<Algorithm, KeyRingError> {
        let mut unfit = 0;
        for algorithm in ALGORITHMS {
            match VerifyingKey::new(algorithm, &self.text) {
                Ok(_) => return Ok(algorithm),
                Err(KeyError::Unfit { .. }) => unfit += 1,
                Err(error) => return Err(unusable(&self.name, &error)),
            }
        }
        debug_assert_eq!(unfit, ALGORITHMS.len());
        let kinds = "Ed25519, P-256, P-384, P-521, secp256k1, nor RSA of 2048 to 8192 bits";
        Err(unusable(&self.name, &format!("the key is damaged, or of another kind: neither {kinds}")))
    }
}

/// Every file of the ring, by name. Others are passed over, unless they look like a key.
pub(super) fn read(directory: &Path) -> Result<Vec<KeyFile>, KeyRingError> {
    let mut files = Vec::new();
    for name in names(directory).map_err(|error| unreadable(directory, &error))? {
        let path = directory.join(&name);
        let name = name.to_string_lossy().into_owned();
        let Some(state) = state_of(&name)? else { continue };
        let text = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        files.push(KeyFile { name, state, text: Zeroizing::new(text) });
    }
    Ok(files)
}

/// The keys in the files of a ring, of which one signs at the most.
pub(super) fn open(files: &[KeyFile]) -> Result<Vec<OpenKey>, KeyRingError> {
    let mut signing = files.iter().filter(|file| file.state == KeyState::Signing);
    match (signing.next(), signing.next()) {
        (Some(one), Some(other)) => {
            let why = format!("{} and {} both sign; rename one to …verifying.pem", one.name, other.name);
            return Err(KeyRingError::Directory(why));
        }
        (None, _) if files.iter().any(KeyFile::is_configured) => {
            let why =
                format!("{CONFIGURED_RETIRED} is there, but no NAME.signing.pem to sign instead; add one");
            return Err(KeyRingError::Directory(why));
        }
        _ => {}
    }
    files.iter().filter(|file| !file.is_configured()).map(KeyFile::open).collect()
}

pub(super) fn unusable(name: &str, reason: &dyn Display) -> KeyRingError {
    KeyRingError::Directory(format!("{name}: {reason}; replace it, or take it away"))
}

fn unreadable(path: &Path, error: &std::io::Error) -> KeyRingError {
    let fix = "correct the path, or let the user of this program read it";
    KeyRingError::Directory(format!("{} cannot be read: {error}; {fix}", path.display()))
}

fn names(directory: &Path) -> std::io::Result<Vec<OsString>> {
    let entries = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name()));
    let mut names = entries.collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The state that a file's name says; `None` for a file that is no key.
fn state_of(name: &str) -> Result<Option<KeyState>, KeyRingError> {
    if name == CONFIGURED_RETIRED {
        return Ok(Some(KeyState::Retired));
    }
    let Some(stem) = name.strip_suffix(".pem").filter(|_| !name.starts_with('.')) else { return Ok(None) };
    let state = match stem.rsplit_once('.').map(|(_, state)| state) {
        Some("next") => KeyState::Next,
        Some("signing") => KeyState::Signing,
        Some("verifying") => KeyState::Verifying,
        _ => {
            let fix = format!("call it {stem}.next.pem, {stem}.signing.pem or {stem}.verifying.pem");
            return Err(KeyRingError::Directory(format!("{name} does not say what the key is for; {fix}")));
        }
    };
    Ok(Some(state))
}
