//! The settings of keys: what signs, what else verifies, and where the key ring is kept.

use std::path::PathBuf;

use countersign_auth::{ConfiguredKeys, KeyRingError};
use countersign_token::{Settings, SigningKey};
use zeroize::Zeroizing;

use super::reader::{Reader, refused};
use super::tokens::algorithm;
use crate::check::Finding;
use crate::secret_key::{self, SecretKey};
use crate::sources::SettingError;

/// What signs and what verifies; and what to warn of.
pub fn keys(
    reader: &Reader<'_>,
    settings: Settings,
    secret_key: &SecretKey,
    accepts_weak: bool,
) -> Result<(ConfiguredKeys, Vec<Finding>), SettingError> {
    let mut warnings = Vec::new();
    if algorithm(reader)?.is_symmetric() && !reader.text("VERIFYING_KEY")?.is_empty() {
        warnings.push(Finding::warning(
            "W004",
            "VERIFYING_KEY is set, and ALGORITHM signs with a shared secret",
            "it changes nothing",
            "remove it, or set ALGORITHM and SIGNING_KEY to those of its key pair",
        ));
    }
    let keys = configured(reader, settings, secret_key)?;
    let former = fallbacks(reader, secret_key, accepts_weak, &mut warnings)?;
    let keys =
        keys.with_fallbacks(former).map_err(|error| refused("SECRET_KEY_FALLBACKS", &error.to_string()))?;
    let mut keys = keys.with_publish_window(reader.duration("KEY_PUBLISH_WINDOW")?);
    if let Some(directory) = reader.optional_text("SIGNING_KEYS_DIR")?.filter(|path| !path.is_empty()) {
        keys = keys.in_directory(PathBuf::from(directory));
    }
    let files = keys.private_key_files().map_err(|error: KeyRingError| SettingError(error.to_string()))?;
    warnings.extend(files.iter().filter_map(|path| secret_key::exposure(path)));
    if keys.is_directory_without_signing_key() {
        warnings.push(Finding::warning(
            "W005",
            "SIGNING_KEYS_DIR holds no NAME.signing.pem",
            "the key that ALGORITHM and SIGNING_KEY name signs",
            "rename one to NAME.signing.pem, or remove the setting",
        ));
    }
    Ok((keys, warnings))
}

/// Simple JWT's settings.
fn configured(
    reader: &Reader<'_>,
    settings: Settings,
    secret_key: &SecretKey,
) -> Result<ConfiguredKeys, SettingError> {
    let algorithm = algorithm(reader)?;
    let given = reader.optional_text("SIGNING_KEY")?;
    if given.is_none() && !algorithm.is_symmetric() {
        let fix = "signs with a key pair: set SIGNING_KEY, or SIGNING_KEY_FILE, to a private key in PEM, or leave \
                   ALGORITHM as it is and use `countersign keys generate`";
        return Err(refused("ALGORITHM", &format!("{} {fix}", algorithm.name())));
    }
    let name = if given.is_some() { "SIGNING_KEY" } else { "SECRET_KEY" };
    let signing = pem(given.unwrap_or(&secret_key.value));
    let verifying = pem(reader.text("VERIFYING_KEY")?);
    SigningKey::new(algorithm, signing.as_bytes())
        .map_err(|error| refused(name, &format!("{error}; give it a key for ALGORITHM, or remove it")))?;
    ConfiguredKeys::new(settings, secret_key.value.as_bytes())
        .map_err(|error| refused("SECRET_KEY", &error.to_string()))?
        .signed_by(algorithm, signing.as_bytes(), verifying.as_bytes())
        .map_err(|error| refused("VERIFYING_KEY", &error.to_string()))
}

/// Former secret keys. A weak one is as dangerous as it was.
fn fallbacks(
    reader: &Reader<'_>,
    secret_key: &SecretKey,
    accepts_weak: bool,
    warnings: &mut Vec<Finding>,
) -> Result<Vec<Zeroizing<Vec<u8>>>, SettingError> {
    const NAME: &str = "SECRET_KEY_FALLBACKS";
    let mut former = Vec::new();
    for key in fallback_texts(reader)? {
        if *key == *secret_key.value {
            warnings.push(Finding::warning(
                "W004",
                format!("{NAME} holds the current SECRET_KEY"),
                "it is not needed there",
                "remove it there",
            ));
            continue;
        }
        if let Some(weakness) = secret_key::weakness(&key) {
            if !accepts_weak {
                let why = format!("a key there {weakness}, so that tokens could be forged with it");
                return Err(refused(
                    NAME,
                    &format!("{why}. Remove it; who is logged in has to log in again"),
                ));
            }
            warnings.push(Finding::warning(
                "W003",
                format!("a key in {NAME} {weakness}"),
                "whoever guesses it can be any user",
                "remove it; who is logged in has to log in again",
            ));
        }
        former.push(Zeroizing::new(key.as_bytes().to_vec()));
    }
    Ok(former)
}

/// Comma-separated, or a JSON list for keys that have a comma or begin or end with a space.
fn fallback_texts(reader: &Reader<'_>) -> Result<Vec<Zeroizing<String>>, SettingError> {
    let text = reader.text("SECRET_KEY_FALLBACKS")?.trim();
    if !text.starts_with('[') {
        return Ok(reader.list("SECRET_KEY_FALLBACKS")?.into_iter().map(Zeroizing::new).collect());
    }
    let keys: Option<Vec<String>> = serde_json::from_str(text).ok();
    let keys: Option<Vec<_>> = keys.map(|keys| keys.into_iter().map(Zeroizing::new).collect());
    match keys.filter(|keys| keys.iter().all(|key| !key.is_empty())) {
        Some(keys) => Ok(keys),
        None => Err(refused(
            "SECRET_KEY_FALLBACKS",
            "must be keys separated by commas, or a JSON list of keys that are not empty",
        )),
    }
}

/// A key in PEM may stand on one line, its line ends written as `\n`.
fn pem(key: &str) -> Zeroizing<String> {
    Zeroizing::new(if key.starts_with("-----BEGIN") { key.replace("\\n", "\n") } else { key.to_owned() })
}
