//! Names that are none of ours: in files of ours they are refused; in the environment, where others have theirs too, only
//! those that can mean nobody else.

use super::{SettingError, TOML_VARIABLE};
use crate::check::Finding;
use crate::settings::{find, is_known, nearest};

const PREFIX: &str = "COUNTERSIGN_";
/// Shorter names are near to too many others.
const MIN_LENGTH: usize = 10;

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
        "{place} sets {}, which Countersign does not know. Correct or remove it; docs/settings.md lists all settings.",
        unknown.join(", ")
    )))
}

/// Refuses variables that can be for us only and are none of ours, and warns of names that are nearly one.
pub fn in_environment<'a>(names: impl Iterator<Item = &'a String>) -> Result<Vec<Finding>, SettingError> {
    let mut warnings = Vec::new();
    for name in names.filter(|name| !is_known(name) && *name != TOML_VARIABLE) {
        if let Some(rest) = name.strip_prefix(PREFIX) {
            let fix = match find(rest).map(|setting| setting.name).or_else(|| nearest(rest)) {
                Some(known) => format!("names have no prefix: did you mean {known}?"),
                None => format!("only {TOML_VARIABLE} begins so; remove it"),
            };
            let what = format!("{name} in the environment is none of Countersign's");
            return Err(SettingError(format!("{what}; {fix}")));
        }
        let slip = |known: &&str| strsim::damerau_levenshtein(known, name) <= 2;
        if let Some(known) = nearest(name).filter(slip).filter(|_| name.len() >= MIN_LENGTH) {
            let what = format!("{name} in the environment is nearly {known}");
            warnings.push(Finding::warning(
                "W007",
                what,
                "it changes nothing",
                format!("did you mean {known}?"),
            ));
        }
    }
    Ok(warnings)
}
