//! Names that are none of ours: in files of ours they are refused; in the environment, where others have theirs too, only
//! those that can mean nobody else.

use super::{SettingError, TOML_VARIABLE};
use crate::check::Finding;
use crate::settings::{find, is_known, nearest};

const PREFIX: &str = "COUNTERSIGN_";
/// Shorter names are near to too many others.
const MIN_LENGTH: usize = 10;
/// What begins so is meant for whoever sends traces.
const OF_TRACES: &str = "OTEL_";
const LISTED: &str = "remove it; `countersign serve --help` lists those that count";
/// Names that many environments have, and that look like ours.
const OF_OTHERS: [&str; 3] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "LOG_FILE"];

/// Names in a file that mean nothing here are most likely mistakes: all of them, each with the nearest known one.
pub fn refuse<'a>(place: &str, names: impl Iterator<Item = &'a String>) -> Result<(), SettingError> {
    let described = |name: &String| match nearest(name) {
        Some(known) => format!("{name} (did you mean {known}?)"),
        None => name.clone(),
    };
    let unknown: Vec<_> = names.filter(|name| !is_known(name)).map(described).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(SettingError(format!(
        "{place} sets {}, which Countersign does not know. Correct or remove it; `countersign serve --help` lists all settings",
        unknown.join(", ")
    )))
}

/// Whether an unknown name of `.env` can be told, as nobody would take it for a key that was pasted there: one in base64
/// or base32 ends in `=` as if it had no value.
pub fn may_be_named(name: &str, value: Option<&str>) -> bool {
    let is_of_a_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && name.bytes().all(is_of_a_name);
    let has_value = value.is_some_and(|value| !value.trim_matches('=').is_empty());
    has_value && is_name || value.is_some() && nearest(name).is_some()
}

/// Refuses variables that can be for us only and are none of ours, and warns of names that are nearly one.
pub fn in_environment<'a>(names: impl Iterator<Item = &'a String>) -> Result<Vec<Finding>, SettingError> {
    let mut warnings = Vec::new();
    for name in names.filter(|name| !is_known(name) && *name != TOML_VARIABLE) {
        if let Some(rest) = name.strip_prefix(PREFIX) {
            let fix = match find(rest).map(|setting| setting.name.to_owned()).or_else(|| nearest(rest)) {
                Some(known) => format!("names have no prefix: did you mean {known}?"),
                None => format!("only {TOML_VARIABLE} begins so; remove it"),
            };
            let what = format!("{name} in the environment is none of Countersign's");
            return Err(SettingError(format!("{what}; {fix}")));
        }
        let slip = |known: &String| strsim::damerau_levenshtein(known, name) <= 2;
        let (what, fix) = if OF_OTHERS.contains(&name.as_str()) {
            continue;
        } else if let Some(known) = name.strip_suffix("_FILE").and_then(find) {
            let known = known.name;
            (format!("{name} is in the environment, and {known} is no secret"), format!("set {known} itself"))
        } else if let Some(known) = nearest(name).filter(slip).filter(|_| name.len() >= MIN_LENGTH) {
            (format!("{name} in the environment is nearly {known}"), format!("did you mean {known}?"))
        } else if name.starts_with(OF_TRACES) {
            (
                format!("{name} is in the environment, and is none of the settings of traces here"),
                LISTED.to_owned(),
            )
        } else {
            continue;
        };
        warnings.push(Finding::warning("W007", what, "it changes nothing", fix));
    }
    Ok(warnings)
}
