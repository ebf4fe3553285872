//! Where settings come from: the environment, then `.env`, then `countersign.toml`, and `SIMPLE_JWT_JSON`; for secrets
//! `NAME_FILE` stands beside `NAME` in each.

mod simple_jwt;
mod toml_file;
mod unknown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::check::Finding;
use crate::dotenv;
use crate::settings::{Kind, SETTINGS, Setting, find, is_known, names};

/// The file of python-dotenv, in the working directory.
pub const DOTENV: &str = ".env";
/// What values of the environment come from.
pub const ENVIRONMENT: &str = "the environment";
/// The file that is read where none is named, and need not be there.
const TOML_FILE: &str = "countersign.toml";
/// The variable that names another one.
const TOML_VARIABLE: &str = "COUNTERSIGN_CONFIG";

/// What to do about a file that is named.
const MISSING: &str = "put it there, or name another";

/// A setting cannot be used: the sentence names it and says what to do.
#[derive(Debug, Clone, thiserror::Error)]
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

/// What was said of a setting, and where.
#[derive(Clone)]
pub struct Said {
    /// What.
    pub raw: Raw,
    /// Where, for people.
    pub origin: String,
    /// The file in which the value is.
    pub file: Option<PathBuf>,
}

/// Everything that was said, by setting.
pub struct Sources {
    values: BTreeMap<&'static str, Said>,
    /// What is ignored, and most likely a mistake.
    pub warnings: Vec<Finding>,
    /// Names that are none of ours, where they are refused.
    unknown: Option<SettingError>,
}

/// One place in which settings stand.
struct Place {
    name: String,
    path: Option<PathBuf>,
    values: BTreeMap<String, Value>,
}

/// A value in a place, and the line where it stands if that is known.
struct Value {
    raw: Raw,
    line: Option<usize>,
}

impl Sources {
    /// Reads the environment, `.env` in `directory` (or `dotenv`, as if it stood there), and the TOML file that `config`
    /// names, or the variable, or that is there.
    pub fn read(
        directory: &Path,
        config: Option<&Path>,
        environment: &BTreeMap<String, String>,
        dotenv: Option<&str>,
    ) -> Result<Self, SettingError> {
        let variable = |name: &str| environment.get(name).cloned();
        let dotenv = read_dotenv(&directory.join(DOTENV), dotenv, &variable)?;
        let in_dotenv = unknown::refuse(DOTENV, dotenv.values.keys());
        let in_variable = || variable(TOML_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = config.map(Path::to_owned).or_else(in_variable);
        let toml = toml_file::read(&directory.join(TOML_FILE), named.as_deref())?;
        let unknown = in_dotenv.and_then(|()| unknown::refuse(&toml.name, toml.values.keys())).err();
        let warnings = unknown::in_environment(environment.keys())?;
        let places = [Place::environment(variable), dotenv, toml];
        let mut sources = Self { values: BTreeMap::new(), warnings, unknown };
        for setting in SETTINGS {
            for place in &places {
                if let Some(said) = place.find(setting)? {
                    sources.values.insert(setting.name, said);
                    break;
                }
            }
        }
        sources.add_simple_jwt_json()?;
        Ok(sources)
    }

    /// Refuses names in files that are none of ours.
    pub fn refuse_unknown(&self) -> Result<(), SettingError> {
        self.unknown.clone().map_or(Ok(()), Err)
    }

    /// What was said of `name`, if anything.
    pub fn get(&self, name: &'static str) -> Option<&Raw> {
        self.said(name).map(|said| &said.raw)
    }

    /// What was said of `name`, if anything, and where.
    pub fn said(&self, name: &'static str) -> Option<&Said> {
        debug_assert!(find(name).is_some(), "{name} is not declared");
        self.values.get(name)
    }

    /// A refusal, which begins with its setting's name, and where that stands.
    pub fn located(&self, SettingError(why): SettingError) -> SettingError {
        let setting = why.split(':').next().and_then(find);
        SettingError(match setting.and_then(|setting| self.said(setting.name)) {
            Some(said) => format!("{why} (it stands in {})", said.origin),
            None => why,
        })
    }

    /// Refuses what is none of the values that a setting takes.
    pub fn check(&self) -> Result<(), SettingError> {
        for setting in SETTINGS {
            let why = match self.get(setting.name) {
                Some(Raw::Text(text) | Raw::One(text)) => setting.kind.refusal(text),
                Some(Raw::List(_)) if !matches!(setting.kind, Kind::List) => {
                    Some("must be one value, not a list".to_owned())
                }
                Some(Raw::List(_)) | None => None,
            };
            if let Some(why) = why {
                return Err(SettingError(format!("{}: {why}", setting.name)));
            }
        }
        Ok(())
    }
}

impl Place {
    fn environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: String| variable(&name).map(|text| (name, Value::text(text.into())));
        Self { name: ENVIRONMENT.to_owned(), path: None, values: names().filter_map(value).collect() }
    }

    /// A setting as this place has it: its value, or for a secret the content of the file that `NAME_FILE` names.
    fn find(&self, setting: &Setting) -> Result<Option<Said>, SettingError> {
        let name = setting.name;
        let file_name = format!("{name}_FILE");
        let is_said = |value: &&Value| !matches!(&value.raw, Raw::Text(path) if path.is_empty());
        let file = self.values.get(&file_name).filter(|_| setting.is_secret).filter(is_said);
        let origin = |value: &Value| match value.line {
            Some(line) => format!("{}:{line}", self.name),
            None => self.name.clone(),
        };
        match (self.values.get(name), file) {
            (Some(_), Some(_)) => {
                Err(SettingError(format!("{name} and {file_name} are both set in {}; remove one", self.name)))
            }
            (None, Some(value)) => {
                let Raw::Text(path) = &value.raw else {
                    return Err(SettingError(format!("{file_name}: must be one path")));
                };
                let raw = Raw::Text(read_secret(name, path)?);
                let file = Some(PathBuf::from(&**path));
                Ok(Some(Said { raw, origin: format!("{} ({file_name} in {})", **path, origin(value)), file }))
            }
            (Some(value), None) => {
                Ok(Some(Said { raw: value.raw.clone(), origin: origin(value), file: self.path.clone() }))
            }
            (None, None) => Ok(None),
        }
    }
}

impl Value {
    fn text(text: Zeroizing<String>) -> Self {
        Self { raw: Raw::Text(text), line: None }
    }
}

fn read_dotenv(
    path: &Path,
    instead: Option<&str>,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Place, SettingError> {
    let text = match instead.map_or_else(|| std::fs::read_to_string(path), |text| Ok(text.to_owned())) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => {
            return Err(SettingError(format!(
                "{} cannot be read: {error}; {}",
                path.display(),
                remedy(&error, "let this user read it, or remove it")
            )));
        }
    };
    let expected = |name: &str, value: Option<&str>| is_known(name) || unknown::may_be_named(name, value);
    let values = dotenv::parse(&text, variable, expected)
        .map_err(|error| SettingError(format!("{}: {error}", path.display())))?;
    let values = values.into_iter().map(|(name, text)| (name, Value::text(text))).collect();
    Ok(Place { name: DOTENV.to_owned(), path: Some(path.to_owned()), values })
}

/// What to do about a file of text that cannot be read.
fn remedy(error: &std::io::Error, otherwise: &'static str) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::InvalidData => "write it in UTF-8",
        std::io::ErrorKind::IsADirectory => "put a file in its place, or remove it",
        _ => otherwise,
    }
}

fn read_secret(name: &str, path: &str) -> Result<Zeroizing<String>, SettingError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        SettingError(format!(
            "{name}_FILE names {path}, which cannot be read: {error}; {}",
            remedy(&error, MISSING)
        ))
    })?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
