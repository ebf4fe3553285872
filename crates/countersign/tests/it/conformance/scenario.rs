//! The scenario files as types. A word the replayer does not know stops the run, so that nothing recorded is
//! passed over by mistake.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// One recorded exchange with the reference, and what it needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub settings: Map<String, Value>,
    #[serde(default, rename = "env")]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub fresh: bool,
    #[serde(default)]
    pub given: Vec<Step>,
    pub steps: Vec<Step>,
}

/// One thing to do, in a scenario's `given` or `steps`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Step {
    Exchange {
        request: Box<Request>,
        response: Box<Expected>,
        #[serde(default)]
        capture: BTreeMap<String, String>,
    },
    User {
        user: Map<String, Value>,
        #[serde(default = "user", rename = "as")]
        name: String,
    },
    Login {
        login: Value,
        #[serde(default = "login", rename = "as")]
        name: String,
        #[serde(default = "login_path")]
        path: String,
    },
    Token {
        token: TokenSpec,
        #[serde(default = "token", rename = "as")]
        name: String,
    },
    Mutate {
        mutate: Mutation,
        #[serde(default = "token", rename = "as")]
        name: String,
    },
    Hook {
        hook: String,
        #[serde(default)]
        args: Map<String, Value>,
        #[serde(default, deserialize_with = "present")]
        result: Option<Value>,
        #[serde(default)]
        capture: BTreeMap<String, String>,
    },
    Sleep {
        sleep: f64,
    },
    Align {
        align: bool,
    },
}

/// A request, as far as it is not added automatically.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: String,
    #[serde(default)]
    pub path: String,
    pub path_gen: Option<Generated>,
    #[serde(default)]
    pub headers: Map<String, Value>,
    pub body: Option<String>,
    pub body_b64: Option<String>,
    pub body_gen: Option<Generated>,
    #[serde(default)]
    pub chunked: bool,
    pub version: Option<String>,
}

/// A long text, written short: the prefix, `count` times the unit, the suffix.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    #[serde(default)]
    prefix: String,
    unit: String,
    count: usize,
    #[serde(default)]
    suffix: String,
}

impl Generated {
    pub fn text(&self) -> String {
        format!("{}{}{}", self.prefix, self.unit.repeat(self.count), self.suffix)
    }
}

/// What the reference answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub status: u16,
    pub only: Option<Only>,
    #[serde(default)]
    pub headers: Map<String, Value>,
    #[serde(default)]
    pub also_headers: Map<String, Value>,
    #[serde(default, deserialize_with = "present")]
    pub json: Option<Value>,
    pub raw: Option<String>,
    pub text: Option<Value>,
}

/// Which part of the answer counts, if not all of it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    Status,
}

/// A token that the harness signs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSpec {
    pub claims: Map<String, Value>,
    pub claims_raw: Option<String>,
    pub header: Map<String, Value>,
    pub header_raw: Option<String>,
    pub header_drop: Vec<String>,
    pub key: Option<String>,
    pub alg: Option<String>,
}

/// Damage to a token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    pub token: String,
    pub op: String,
    #[serde(default)]
    pub claims: Map<String, Value>,
    #[serde(default)]
    pub header: Map<String, Value>,
    #[serde(default)]
    pub drop: Vec<String>,
    pub key: Option<String>,
    pub alg: Option<String>,
}

/// Scenarios that may share one server and its database.
#[derive(Debug)]
pub struct Group {
    pub settings: Map<String, Value>,
    pub environment: BTreeMap<String, String>,
    pub scenarios: Vec<Scenario>,
}

/// Reads every scenario below `directory`. Fails where a file is not as the README describes, where two scenarios
/// have the same name, or where there is none.
pub fn load(directory: &Path) -> Result<Vec<Scenario>, String> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for path in json_files(directory)? {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let items: Vec<Value> =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        for item in items {
            let name = item.get("name").cloned().unwrap_or_default();
            let scenario = Scenario::deserialize(item)
                .map_err(|error| format!("{}: scenario {name}: {error}", path.display()))?;
            scenarios.push(scenario);
        }
    }
    let mut names = HashSet::new();
    if let Some(twice) = scenarios.iter().find(|scenario| !names.insert(&scenario.name)) {
        return Err(format!("two scenarios are named {}", twice.name));
    }
    if scenarios.is_empty() {
        return Err(format!("{} holds no scenario", directory.display()));
    }
    Ok(scenarios)
}

/// Puts scenarios with equal settings and environment together, in the order of their first; a `fresh` one stays
/// alone.
pub fn group(scenarios: Vec<Scenario>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for scenario in scenarios {
        let shared = groups.iter_mut().find(|group| {
            group.settings == scenario.settings
                && group.environment == scenario.environment
                && !scenario.fresh
                && group.scenarios.iter().all(|other| !other.fresh)
        });
        match shared {
            Some(group) => group.scenarios.push(scenario),
            None => groups.push(Group {
                settings: scenario.settings.clone(),
                environment: scenario.environment.clone(),
                scenarios: vec![scenario],
            }),
        }
    }
    groups
}

fn json_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| format!("{}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            files.extend(json_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Keeps an explicit `null` apart from an absent field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn user() -> String {
    "user".to_owned()
}

fn login() -> String {
    "login".to_owned()
}

fn token() -> String {
    "token".to_owned()
}

fn login_path() -> String {
    "/user/api/login/".to_owned()
}

#[test]
fn an_unknown_word_in_a_scenario_is_refused() {
    let step = |text: &str| serde_json::from_str::<Step>(text);
    assert!(step(r#"{"sleep": 1}"#).is_ok());
    assert!(step(r#"{"sleep": 1, "loudly": true}"#).is_err());
    assert!(
        step(r#"{"request": {"method": "GET", "path": "/"}, "response": {"status": 200, "jsn": 1}}"#)
            .is_err()
    );
}
