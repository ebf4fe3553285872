//! `countersign.toml`: the names of `.env`, the values of TOML, no tables.

use std::path::Path;

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::{MISSING, Place, Raw, SettingError, Value, remedy};
use crate::settings::{Kind, find, is_known};

/// Reads the file that is `named`, which has to be there, or the `usual` one, which need not.
pub fn read(usual: &Path, named: Option<&Path>) -> Result<Place, SettingError> {
    let path = named.unwrap_or(usual);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => {
            return Err(SettingError(format!(
                "{} cannot be read: {error}; {}",
                path.display(),
                remedy(&error, MISSING)
            )));
        }
    };
    let place = path.display().to_string();
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    // What the parser says has more lines, and shows the text, which may be a secret.
    let table = DeTable::parse(&text).map_err(|error| {
        let at = error.span().map_or(1, |span| line(span.start));
        SettingError(format!("{place}:{at} is not TOML: {}; correct the line", error.message()))
    })?;
    let mut values = std::collections::BTreeMap::new();
    for (name, value) in table.get_ref() {
        let (name, at) = (name.get_ref().to_string(), line(name.span().start));
        let raw = raw(&name, value.get_ref()).ok_or_else(|| {
            let types = kind(&name).map_or(TYPES, types);
            let of_commas = if takes_json_list(&name) { OF_COMMAS } else { "" };
            SettingError(format!("{place}:{at}: {name} must be {types}{of_commas}"))
        })?;
        values.insert(name, Value { raw, line: Some(at) });
    }
    Ok(Place { name: place, path: Some(path.to_owned()), values })
}

/// What names that nobody knows may have.
const TYPES: &str = "a string, a number, a boolean or a list of strings; correct its name, and let settings stand in no table";

/// What those few may have that are read from a list in JSON, too.
const OF_COMMAS: &str = "; what has a comma can stand in a string that is a JSON list";

fn takes_json_list(name: &str) -> bool {
    find(name).is_some_and(|setting| setting.kind == Kind::List && setting.doc.contains("JSON list"))
}

/// The kind of a setting, or of the file that holds a secret one.
fn kind(name: &str) -> Option<Kind> {
    let of_file = || is_known(name).then_some(Kind::Path);
    find(name).map(|setting| setting.kind).or_else(of_file)
}

/// Which types of TOML a value of this kind has, in words.
fn types(kind: Kind) -> &'static str {
    match kind {
        Kind::Text
        | Kind::Path
        | Kind::Json
        | Kind::Choice(_)
        | Kind::Rate
        | Kind::Address
        | Kind::Algorithm => "a string, in quotes",
        Kind::Switch => "true or false",
        Kind::AutoOrSwitch => "true, false or \"auto\"",
        Kind::Whole(..) => "a whole number",
        Kind::Seconds(_) | Kind::Share => "a number",
        Kind::Time { .. } => "a string such as \"5m\", or a whole number of seconds",
        Kind::List => "a string, or a list of strings, each without a comma, such as [\"a\", \"b\"]",
    }
}

/// Whether a value of this kind may have this type. A text that stands for a number or a truth is read as in `.env`.
fn has_type(kind: Kind, value: &DeValue<'_>) -> bool {
    match value {
        DeValue::String(_) => true,
        DeValue::Integer(_) => {
            matches!(kind, Kind::Whole(..) | Kind::Seconds(_) | Kind::Share | Kind::Time { .. })
        }
        DeValue::Float(_) => matches!(kind, Kind::Seconds(_) | Kind::Share),
        DeValue::Boolean(_) => matches!(kind, Kind::Switch | Kind::AutoOrSwitch),
        DeValue::Array(_) => matches!(kind, Kind::List),
        DeValue::Datetime(_) | DeValue::Table(_) => false,
    }
}

/// A list becomes the text that `.env` would have, but where Simple JWT tells a list of one from one.
fn raw(name: &str, value: &DeValue<'_>) -> Option<Raw> {
    if !kind(name).is_none_or(|kind| has_type(kind, value)) {
        return None;
    }
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok()?.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(is_on) => if *is_on { "True" } else { "False" }.to_owned(),
        DeValue::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            let items = items?;
            if find(name).is_some_and(|setting| setting.is_simple_jwt) {
                return Some(Raw::List(items.into_iter().map(str::to_owned).collect()));
            }
            if items.iter().any(|item| item.contains(',')) {
                return None;
            }
            items.join(",")
        }
        DeValue::Datetime(_) | DeValue::Table(_) => return None,
    };
    Some(Raw::Text(Zeroizing::new(text)))
}
