//! Where settings come from: the environment, then `.env`, and `SIMPLE_JWT_JSON`; for secrets `NAME_FILE` stands
//! beside `NAME` in each.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::dotenv;
use crate::settings::{SETTINGS, Setting, find, nearest};

/// A setting cannot be used: the sentence names it and says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub String);

/// What was said of a setting.
#[derive(Clone)]
pub enum Raw {
    /// Text, as the environment has it; lists are comma-separated.
    Text(Zeroizing<String>),
    /// One JSON value as text; a comma in it means nothing.
    One(Zeroizing<String>),
    /// A JSON list of texts.
    List(Vec<String>),
}

/// Everything that was said, by setting.
pub struct Sources {
    values: BTreeMap<&'static str, Raw>,
    /// What is ignored, and most likely a mistake.
    pub warnings: Vec<String>,
}

impl Sources {
    /// Reads the environment `variable` and `.env` in `directory`.
    pub fn read(directory: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let dotenv: BTreeMap<_, _> = read_dotenv(directory, &variable)?.into_iter().collect();
        refuse_unknown(dotenv.keys().map(String::as_str))?;
        let mut sources = Self { values: BTreeMap::new(), warnings: Vec::new() };
        for setting in SETTINGS {
            let in_environment =
                one_of(setting, "the environment", |name| variable(name).map(Zeroizing::new))?;
            let value = match in_environment {
                Some(value) => Some(value),
                None => one_of(setting, ".env", |name| dotenv.get(name).cloned())?,
            };
            sources.values.extend(value.map(|value| (setting.name, Raw::Text(value))));
        }
        sources.add_simple_jwt_json()?;
        Ok(sources)
    }

    /// What was said of `name`, if anything.
    pub fn get(&self, name: &'static str) -> Option<&Raw> {
        debug_assert!(find(name).is_some(), "{name} is not declared");
        self.values.get(name)
    }

    fn add_simple_jwt_json(&mut self) -> Result<(), SettingError> {
        let Some(Raw::Text(json)) = self.values.get("SIMPLE_JWT_JSON") else { return Ok(()) };
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
                self.warnings.extend(unsupported(&name, &value)?);
                continue;
            };
            let Some(raw) = json_value(&name, &value)? else { continue };
            if self.values.contains_key(setting.name) {
                return Err(SettingError(format!(
                    "{name} is set twice, by itself and in SIMPLE_JWT_JSON; remove one"
                )));
            }
            self.values.insert(setting.name, raw);
        }
        Ok(())
    }
}

/// A setting as one place has it: its value, or for a secret the content of the file that `NAME_FILE` names.
fn one_of(
    setting: &Setting,
    place: &str,
    value: impl Fn(&str) -> Option<Zeroizing<String>>,
) -> Result<Option<Zeroizing<String>>, SettingError> {
    let name = setting.name;
    let file = if setting.is_secret { value(&format!("{name}_FILE")) } else { None };
    match (value(name), file) {
        (Some(_), Some(_)) => {
            Err(SettingError(format!("{name} and {name}_FILE are both set in {place}; remove one")))
        }
        (None, Some(path)) => read_secret(name, &path).map(Some),
        (value, None) => Ok(value),
    }
}

fn read_dotenv(
    directory: &Path,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Vec<(String, Zeroizing<String>)>, SettingError> {
    let path = directory.join(".env");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(SettingError(format!("{} cannot be read: {error}", path.display()))),
    };
    dotenv::parse(&text, variable).map_err(|error| SettingError(format!("{}: {error}", path.display())))
}

/// Names of `.env` that mean nothing here are most likely mistakes: all of them, each with the nearest known one.
fn refuse_unknown<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), SettingError> {
    let is_file =
        |name: &str| name.strip_suffix("_FILE").and_then(find).is_some_and(|setting| setting.is_secret);
    let described = |name: &str| match nearest(name) {
        Some(known) => format!("{name} (did you mean {known}?)"),
        None => name.to_owned(),
    };
    let unknown: Vec<_> =
        names.filter(|name| find(name).is_none() && !is_file(name)).map(described).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(SettingError(format!(
        ".env sets {}, which Countersign does not know. Correct or remove it; docs/settings.md lists all settings.",
        unknown.join(", ")
    )))
}

fn read_secret(name: &str, path: &str) -> Result<Zeroizing<String>, SettingError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingError(format!("{name}_FILE names {path}, which cannot be read: {error}")))?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Simple JWT's settings that name a class of its own or of a project's.
const OWN_CLASSES: [(&str, &str); 7] = [
    ("TOKEN_OBTAIN_SERIALIZER", "rest_framework_simplejwt.serializers.TokenObtainPairSerializer"),
    ("TOKEN_REFRESH_SERIALIZER", "rest_framework_simplejwt.serializers.TokenRefreshSerializer"),
    ("TOKEN_VERIFY_SERIALIZER", "rest_framework_simplejwt.serializers.TokenVerifySerializer"),
    ("TOKEN_BLACKLIST_SERIALIZER", "rest_framework_simplejwt.serializers.TokenBlacklistSerializer"),
    ("SLIDING_TOKEN_OBTAIN_SERIALIZER", "rest_framework_simplejwt.serializers.TokenObtainSlidingSerializer"),
    (
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        "rest_framework_simplejwt.serializers.TokenRefreshSlidingSerializer",
    ),
    ("TOKEN_USER_CLASS", "rest_framework_simplejwt.models.TokenUser"),
];

/// What to say of a name in `SIMPLE_JWT_JSON` that is none of our settings. Simple JWT ignores names it does not know,
/// but some of its own are not to be had here.
fn unsupported(name: &str, value: &serde_json::Value) -> Result<Option<String>, SettingError> {
    let removed = ["SECRET_KEY", "AUTH_HEADER_TYPE", "AUTH_TOKEN_CLASS", "TOKEN_BACKEND_CLASS"];
    let default = match name {
        "JWK_URL" | "JSON_ENCODER" => serde_json::Value::Null,
        "USER_AUTHENTICATION_RULE" => serde_json::Value::from(
            "rest_framework_simplejwt.authentication.default_user_authentication_rule",
        ),
        _ if OWN_CLASSES.iter().any(|(own, _)| *own == name) => serde_json::Value::from(
            OWN_CLASSES.iter().find(|(own, _)| *own == name).map_or("", |(_, class)| *class),
        ),
        _ if removed.contains(&name) => {
            return Err(SettingError(format!(
                "SIMPLE_JWT_JSON holds {name}, which Simple JWT has removed; remove it"
            )));
        }
        _ if find(name).is_some() => {
            return Err(SettingError(format!(
                "SIMPLE_JWT_JSON holds {name}, which is not one of Simple JWT's settings; set it by itself"
            )));
        }
        _ => {
            let hint = nearest(name).map(|known| format!(" Did you mean {known}?")).unwrap_or_default();
            return Ok(Some(format!(
                "SIMPLE_JWT_JSON holds {name}, which Simple JWT does not know and ignores.{hint}"
            )));
        }
    };
    if *value == default {
        return Ok(None);
    }
    let hint = if name.starts_with("TOKEN_OBTAIN") { "; TOKEN_CLAIMS adds claims to tokens" } else { "" };
    Err(SettingError(format!(
        "SIMPLE_JWT_JSON sets {name}, which Countersign does not support; remove it{hint}"
    )))
}

/// `None` for null, which means the default.
fn json_value(name: &str, value: &serde_json::Value) -> Result<Option<Raw>, SettingError> {
    use serde_json::Value;
    let text = |text: String| Ok(Some(Raw::One(Zeroizing::new(text))));
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
