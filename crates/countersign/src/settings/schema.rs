//! The declarations as a JSON Schema, for editors of `countersign.toml`.

use countersign_token::Algorithm;
use serde_json::{Map, Value, json};

use super::{Default, Kind, SETTINGS, Setting};

/// The file `docs/settings.schema.json`.
pub fn schema() -> String {
    let mut properties = Map::new();
    for setting in SETTINGS {
        properties.insert(setting.name.to_owned(), property(setting));
        if setting.is_secret {
            let file =
                json!({ "type": "string", "description": format!("A file that holds {}.", setting.name) });
            properties.insert(format!("{}_FILE", setting.name), file);
        }
    }
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Countersign",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    serde_json::to_string_pretty(&schema).expect("it is JSON") + "\n"
}

fn property(setting: &Setting) -> Value {
    let Value::Object(mut property) = values(setting.kind) else { unreachable!("an object is made below") };
    property.insert("description".to_owned(), setting.doc.replace('`', "").into());
    if let Default::Value(value) = setting.default
        && !value.is_empty()
    {
        property.insert("default".to_owned(), default(setting.kind, value));
    }
    property.into()
}

/// What an editor lets pass: the form that is natural in TOML, and the text that `.env` would have.
fn values(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Path | Kind::Json => json!({ "type": "string" }),
        Kind::Switch => json!({ "enum": [true, false, "True", "False", "on", "off", "yes", "no"] }),
        Kind::AutoOrSwitch => {
            json!({ "enum": ["auto", true, false, "True", "False", "on", "off", "yes", "no"] })
        }
        Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Rate => {
            let periods = "s|sec|seconds?|m|min|minutes?|h|hours?|d|days?";
            json!({ "type": "string", "pattern": format!("^ *([0-9]+ */ *({periods})|off)? *$") })
        }
        Kind::Address => json!({ "type": "string", "pattern": "^( *|.+:[0-9]{1,5} *)$" }),
        Kind::Algorithm => json!({ "enum": Algorithm::ALL.map(Algorithm::name) }),
        Kind::Whole(min, max) => {
            json!({ "type": ["integer", "string"], "minimum": min, "maximum": max, "pattern": "^ *[0-9]+ *$" })
        }
        Kind::Seconds(max) => json!({ "type": "number", "minimum": 0, "maximum": max }),
        Kind::Time { .. } => {
            json!({ "type": ["string", "integer"], "minimum": 0, "pattern": "^ *[0-9.]+ *[smhd]? *$" })
        }
        Kind::List => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
        Kind::Choice(values) => json!({ "enum": values }),
    }
}

fn default(kind: Kind, value: &str) -> Value {
    match kind {
        Kind::Switch => super::kind::switch(value).into(),
        Kind::Whole(..) | Kind::Seconds(_) | Kind::Share => serde_json::from_str(value).unwrap_or_default(),
        _ => value.into(),
    }
}
