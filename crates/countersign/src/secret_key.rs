//! `SECRET_KEY`: where it comes from when nobody gave one, and when it is too weak to sign for real users.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use countersign_store::DatabaseUrl;
use zeroize::Zeroizing;

use crate::check::Finding;
use crate::config::Files;
use crate::private_file;
use crate::sources::SettingError;

/// NIST SP 800-107 and RFC 7518 §3.2: an HMAC key has at least as many bits as its hash.
const MIN_BYTES: usize = 32;
/// What tutorials write, and Django's own warning prefix for generated development keys.
const PLACEHOLDERS: [&str; 3] = ["your_secret_key", "your-secret-key", "django-insecure-"];

/// Django's `security.W009` asks for as many.
const MIN_DISTINCT: usize = 5;
/// What a longer key may not only consist of.
const LONGEST_WORD: usize = 15;

/// A signing secret and how it came about.
pub struct SecretKey {
    /// The key.
    pub value: Zeroizing<String>,
    /// The file that holds it, when nobody configured one; and whether it was made just now.
    pub file: Option<(PathBuf, bool)>,
    /// Whether nobody has configured one, and there is no file: nothing may be signed with it.
    pub is_unsaved: bool,
}

impl SecretKey {
    fn new(value: Zeroizing<String>, file: Option<(PathBuf, bool)>) -> Self {
        Self { value, file, is_unsaved: false }
    }
}

/// Takes the configured key, or the one kept beside the database, made now if there is none and that is allowed.
pub fn obtain(
    configured: Option<&str>,
    database: &DatabaseUrl,
    files: Files,
) -> Result<SecretKey, SettingError> {
    match configured {
        Some("") => Err(SettingError(
            "SECRET_KEY is empty; give it a value, or remove it to have one made".to_owned(),
        )),
        Some(key) => Ok(SecretKey::new(Zeroizing::new(key.to_owned()), None)),
        None => {
            let DatabaseUrl::Sqlite(database) = database else {
                let fix = "set it, to the same everywhere: each server on this database needs it (for example the \
                           output of `openssl rand -hex 32`)";
                return Err(SettingError(format!("SECRET_KEY is not set; {fix}")));
            };
            let path = beside(database);
            // Looked at before the key: who makes both at the same time makes the key first.
            let may_make = match files {
                Files::MayBeMade => true,
                Files::MadeTogether => !has_content(database),
                Files::Existing | Files::NotNeeded => false,
            };
            match read_or_make(&path, may_make) {
                Ok(Some((value, made))) => Ok(SecretKey::new(value, Some((path, made)))),
                Ok(None) if files == Files::NotNeeded => {
                    Ok(SecretKey { value: unsaved()?, file: None, is_unsaved: true })
                }
                Ok(None) => Err(SettingError(format!(
                    "SECRET_KEY is not set, and {} is not beside its database; restore it from a backup, or set SECRET_KEY to \
                     the server's",
                    path.display()
                ))),
                Err(error) => Err(SettingError(format!(
                    "SECRET_KEY is not set, and its file {} cannot be read or made: {error}; put the file right, or set SECRET_KEY",
                    path.display()
                ))),
            }
        }
    }
}

/// Whether there is more than an empty file, which a key may be made for.
fn has_content(database: &Path) -> bool {
    std::fs::metadata(database)
        .map_or_else(|error| error.kind() != ErrorKind::NotFound, |found| found.len() > 0)
}

/// Where the key of a database is kept that has no other.
pub fn beside(database: &Path) -> PathBuf {
    let mut path = database.to_owned().into_os_string();
    path.push(".key");
    path.into()
}

/// A key that nobody will see again, to check with.
fn unsaved() -> Result<Zeroizing<String>, SettingError> {
    random_hex().map_err(|error| {
        SettingError(format!("the operating system gives no randomness: {error}; try again"))
    })
}

/// The key in a file, and whether it was made just now.
fn read_or_make(path: &Path, may_make: bool) -> std::io::Result<Option<(Zeroizing<String>, bool)>> {
    match read(path)? {
        Some(key) => Ok(Some((key, false))),
        None if may_make => {
            match private_file::make(path, &format!("{}\n", *random_hex()?)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {} // another process may be first; then its key stays
            }
            Ok(read(path)?.map(|key| (key, true)))
        }
        None => Ok(None),
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

/// Whether a key is long enough, and still the first that somebody would try: a few characters, or a word again and again.
pub fn is_repetition(key: &str) -> bool {
    let distinct: BTreeSet<char> = key.chars().collect();
    let repeats = |period: usize| key.bytes().zip(key.bytes().skip(period)).all(|(one, next)| one == next);
    distinct.len() < MIN_DISTINCT || (1..=LONGEST_WORD).any(repeats)
}

/// Whether a file with a secret is not as private as it should be.
pub fn exposure(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display();
    let what = format!("{path} can be read by others (mode {mode:o})");
    let finding = || Finding::warning("W002", what, "a secret is in it", format!("chmod 600 {path}"));
    (mode & 0o077 != 0).then(finding)
}

/// The key in a file; `None` when there is no such file.
fn read(path: &Path) -> std::io::Result<Option<Zeroizing<String>>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let key = Zeroizing::new(text.trim_end().to_owned());
    match weakness(&key) {
        None => Ok(Some(key)),
        Some(weakness) => {
            Err(std::io::Error::new(ErrorKind::InvalidData, format!("the key there {weakness}")))
        }
    }
}

/// 32 random bytes.
pub fn random_hex() -> std::io::Result<Zeroizing<String>> {
    let mut random = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *random)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * random.len()));
    for byte in &*random {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
