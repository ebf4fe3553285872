//! Where settings come from: the environment, then `.env`, then `SIMPLE_JWT_JSON`; `NAME_FILE` for secrets.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::dotenv;
use crate::settings::{SETTINGS, find, nearest};

/// A setting cannot be used: the sentence names it and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub String);

/// What was said of a setting.
#[derive(Clone)]
pub enum Raw {
    /// Text, as the environment has it.
    Text(Zeroizing<String>),
    /// A JSON list of texts.
    List(Vec<String>),
}

/// Everything that was said, by setting.
pub struct Sources(BTreeMap<&'static str, Raw>);

impl Sources {
    /// Reads the environment `variable` and `.env` in `directory`.
    pub fn read(directory: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let mut said = BTreeMap::new();
        for (name, value) in read_dotenv(directory, &variable)? {
            let setting = dotenv_setting(&name)?;
            said.insert(setting, Zeroizing::new(value));
        }
        let file_name = |name: &str| format!("{name}_FILE");
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            let named = |name: &str| variable(name).map(Zeroizing::new).or_else(|| said.get(name).cloned());
            let value = match named(setting.name) {
                None if setting.is_secret => named(&file_name(setting.name))
                    .map(|path| read_secret(setting.name, &path))
                    .transpose()?,
                value => value,
            };
            if let Some(value) = value {
                values.insert(setting.name, Raw::Text(value));
            }
        }
        let mut sources = Self(values);
        sources.add_simple_jwt_json()?;
        Ok(sources)
    }

    /// What was said of `name`, if anything.
    pub fn get(&self, name: &'static str) -> Option<&Raw> {
        debug_assert!(find(name).is_some(), "{name} is not declared");
        self.0.get(name)
    }

    fn add_simple_jwt_json(&mut self) -> Result<(), SettingError> {
        let Some(Raw::Text(json)) = self.0.get("SIMPLE_JWT_JSON") else { return Ok(()) };
        let object = match serde_json::from_str(json) {
            Ok(serde_json::Value::Object(object)) => object,
            Ok(_) => {
                return Err(SettingError(
                    "SIMPLE_JWT_JSON is not a JSON object: {\"NAME\": value}".to_owned(),
                ));
            }
            Err(error) => return Err(SettingError(format!("SIMPLE_JWT_JSON is not JSON: {error}"))),
        };
        for (name, value) in object {
            let Some(setting) = find(&name).filter(|setting| setting.is_simple_jwt) else {
                refuse_unsupported(&name, &value)?;
                continue;
            };
            let Some(raw) = json_value(&name, &value)? else { continue };
            if self.0.contains_key(setting.name) {
                return Err(SettingError(format!(
                    "{name} is set twice, by itself and in SIMPLE_JWT_JSON; remove one"
                )));
            }
            self.0.insert(setting.name, raw);
        }
        Ok(())
    }
}

fn read_dotenv(
    directory: &Path,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, SettingError> {
    let path = directory.join(".env");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SettingError(format!("{} cannot be read: {error}", path.display()))),
    };
    dotenv::parse(&text, variable).map_err(|error| SettingError(format!("{}: {error}", path.display())))
}

/// The key under which a name of `.env` is kept; a name that means nothing here is most likely a mistake.
fn dotenv_setting(name: &str) -> Result<String, SettingError> {
    let without_file = name.strip_suffix("_FILE").and_then(find).is_some_and(|setting| setting.is_secret);
    if without_file || find(name).is_some() {
        return Ok(name.to_owned());
    }
    let hint = nearest(name).map(|known| format!(" Did you mean {known}?")).unwrap_or_default();
    Err(SettingError(format!(
        ".env sets {name}, which is not a setting of Countersign.{hint} Correct or remove the line; \
         docs/settings.md lists them all."
    )))
}

fn read_secret(name: &str, path: &str) -> Result<Zeroizing<String>, SettingError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingError(format!("{name}_FILE names {path}, which cannot be read: {error}")))?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Simple JWT ignores names it does not know, but some of its own are not to be had here.
fn refuse_unsupported(name: &str, value: &serde_json::Value) -> Result<(), SettingError> {
    let removed = ["SECRET_KEY", "AUTH_HEADER_TYPE", "AUTH_TOKEN_CLASS", "TOKEN_BACKEND_CLASS"];
    let default = match name {
        "USER_ID_FIELD" => serde_json::Value::from("id"),
        "JWK_URL" | "JSON_ENCODER" => serde_json::Value::Null,
        "USER_AUTHENTICATION_RULE" => serde_json::Value::from(
            "rest_framework_simplejwt.authentication.default_user_authentication_rule",
        ),
        _ if removed.contains(&name) => {
            return Err(SettingError(format!(
                "SIMPLE_JWT_JSON holds {name}, which Simple JWT has removed; remove it"
            )));
        }
        _ => return Ok(()),
    };
    if *value == default {
        return Ok(());
    }
    Err(SettingError(format!("SIMPLE_JWT_JSON sets {name}, which Countersign does not support; remove it")))
}

/// `None` for null, which means the default.
fn json_value(name: &str, value: &serde_json::Value) -> Result<Option<Raw>, SettingError> {
    use serde_json::Value;
    let text = |text: String| Ok(Some(Raw::Text(Zeroizing::new(text))));
    match value {
        Value::Null => Ok(None),
        Value::String(value) => text(value.clone()),
        Value::Bool(true) => text("True".to_owned()),
        Value::Bool(false) => text("False".to_owned()),
        Value::Number(number) => text(number.to_string()),
        Value::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            let refused = || SettingError(format!("SIMPLE_JWT_JSON: {name} must be a list of strings"));
            Ok(Some(Raw::List(texts.ok_or_else(refused)?)))
        }
        Value::Object(_) => Err(SettingError(format!("SIMPLE_JWT_JSON: {name} cannot be an object"))),
    }
}
