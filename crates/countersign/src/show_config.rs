//! `countersign config`: the settings in force, and where each was said; secrets are not shown.

use countersign_store::DatabaseUrl;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::{Config, Files};
use crate::program::{Failure, read_all_sources, report};
use crate::settings::{Default, SETTINGS, Setting};
use crate::sources::{Raw, Sources};

const HIDDEN: &str = "********";
/// What is no secret in the address of a database.
const SHOWN: [&str; 2] = ["sslmode=", "sslrootcert="];

/// Prints the settings even where they cannot be used, and fails then.
pub fn run(as_json: bool) -> Result<(), Failure> {
    let sources = read_all_sources(None)?;
    let shown: Vec<_> = SETTINGS.iter().map(|setting| Shown::of(setting, &sources)).collect();
    let list: Vec<Value> = shown.iter().map(Shown::json).collect();
    let lines: Vec<String> = shown.iter().map(Shown::line).collect();
    report(as_json, &json!({ "settings": list }), &lines.join("\n"))?;
    sources.refuse_unknown()?;
    Ok(Config::from_sources(&sources, Files::NotNeeded)?.check_files(&sources)?)
}

/// What the audit log has of the settings at the start: the names of those that were said, and a digest of all as they are
/// shown, so that a change is seen. A secret is in neither.
pub fn summary(sources: &Sources) -> Vec<(&'static str, String)> {
    let said = SETTINGS.iter().filter(|setting| sources.said(setting.name).is_some());
    let names: Vec<&str> = said.map(|setting| setting.name).collect();
    let mut digest = Sha256::new();
    for setting in SETTINGS {
        let Shown { name, value, .. } = Shown::of(setting, sources);
        digest.update(format!("{name}={value}\n"));
    }
    let digest = digest.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("settings", names.join(" ")), ("digest", digest)]
}

/// A setting as it is printed.
struct Shown {
    name: &'static str,
    value: String,
    origin: String,
}

impl Shown {
    fn of(setting: &'static Setting, sources: &Sources) -> Self {
        let Some(said) = sources.said(setting.name) else { return Self::default_of(setting) };
        let value = match &said.raw {
            Raw::Text(text) if setting.name == "DATABASE_URL" => without_password(text),
            Raw::Text(text) | Raw::One(text) if text.is_empty() => String::new(),
            _ if setting.is_secret => HIDDEN.to_owned(),
            Raw::Text(text) | Raw::One(text) if has_password(text) => HIDDEN.to_owned(),
            Raw::Text(text) | Raw::One(text) => text.to_string(),
            Raw::List(items) => items.join(","),
        };
        Self { name: setting.name, value, origin: said.origin.clone() }
    }

    fn default_of(setting: &'static Setting) -> Self {
        let origin = match setting.default {
            Default::Value(_) => "default".to_owned(),
            Default::Words(words) => format!("default: {words}"),
        };
        Self { name: setting.name, value: setting.default.value().to_owned(), origin }
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "value": self.value, "origin": self.origin })
    }

    fn line(&self) -> String {
        format!("{}={}  # {}", self.name, self.value.replace('\n', " "), self.origin)
    }
}

/// What is no secret by itself may hold a password all the same, if it is an address.
fn has_password(text: &str) -> bool {
    text.contains("://") && text.contains('@')
}

/// As the program would name it, and how it is encrypted; one that cannot be read may have its password anywhere.
fn without_password(text: &str) -> String {
    let Ok(url) = text.trim().parse::<DatabaseUrl>() else { return HIDDEN.to_owned() };
    if matches!(url, DatabaseUrl::Sqlite(_)) {
        return url.to_string();
    }
    let query = text.trim().split_once('?').map_or("", |(_, query)| query);
    let is_shown = |parameter: &&str| SHOWN.iter().any(|name| parameter.starts_with(name));
    let shown: Vec<&str> = query.split('&').filter(is_shown).collect();
    let separator = if shown.is_empty() { "" } else { "?" };
    format!("{url}{separator}{}", shown.join("&"))
}
