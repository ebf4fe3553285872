//! `SECRET_KEY`: where it comes from when nobody gave one, and when it is too weak to sign for real users.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use countersign_store::DatabaseUrl;
use zeroize::Zeroizing;

use crate::sources::SettingError;

/// NIST SP 800-107 and RFC 7518 §3.2: an HMAC key has at least as many bits as its hash.
const MIN_BYTES: usize = 32;
/// What tutorials write, and Django's own warning prefix for generated development keys.
const PLACEHOLDERS: [&str; 6] =
    ["your_secret_key", "your-secret-key", "changeme", "change-me", "secret", "django-insecure-"];

/// A signing secret and how it came about.
pub struct SecretKey {
    /// The key.
    pub value: Zeroizing<String>,
    /// The file that holds it, when nobody configured one; and whether it was made just now.
    pub file: Option<(PathBuf, bool)>,
}

/// Takes the configured key, or the one kept beside the database, made now if there is none.
pub fn obtain(configured: Option<&str>, database: &DatabaseUrl) -> Result<SecretKey, SettingError> {
    match configured {
        Some("") => Err(SettingError(
            "SECRET_KEY is empty; give it a value, or remove it to have one made".to_owned(),
        )),
        Some(key) => Ok(SecretKey { value: Zeroizing::new(key.to_owned()), file: None }),
        None => {
            let DatabaseUrl::Sqlite(path) = database;
            let path = path.with_extension("key");
            let (value, made) = read_or_make(&path).map_err(|error| {
                SettingError(format!("SECRET_KEY is not set, and {}: {error}", path.display()))
            })?;
            Ok(SecretKey { value, file: Some((path, made)) })
        }
    }
}

/// Why a key must not sign for real users, if so.
pub fn weakness(key: &str) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    if PLACEHOLDERS.iter().any(|placeholder| lower.starts_with(placeholder)) {
        return Some("is a placeholder".to_owned());
    }
    (key.len() < MIN_BYTES).then(|| format!("has {} bytes, and needs at least {MIN_BYTES}", key.len()))
}

fn read_or_make(path: &Path) -> std::io::Result<(Zeroizing<String>, bool)> {
    match make(path) {
        Ok(key) => Ok((key, true)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = Zeroizing::new(std::fs::read_to_string(path)?);
            let key = Zeroizing::new(text.trim_end().to_owned());
            match weakness(&key) {
                None => Ok((key, false)),
                Some(weakness) => {
                    Err(std::io::Error::new(ErrorKind::InvalidData, format!("the key there {weakness}")))
                }
            }
        }
        Err(error) => Err(error),
    }
}

/// Writes a new key under another name first, so that no other process and no crash ever sees half of it.
fn make(path: &Path) -> std::io::Result<Zeroizing<String>> {
    if path.exists() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let mut random = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *random)?;
    let mut key = Zeroizing::new(String::with_capacity(2 * random.len()));
    for byte in &*random {
        let _ = write!(key, "{byte:02x}");
    }
    let unfinished = path.with_extension(format!("key.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(key.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&unfinished, path); // fails if another process was first
    std::fs::remove_file(&unfinished)?;
    linked?;
    Ok(key)
}
