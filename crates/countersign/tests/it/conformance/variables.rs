//! Values captured in a scenario, and the `{{name}}` places where they go.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Names and their values, as text.
#[derive(Debug, Default)]
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// Remembers a value; a string as it is, anything else as its JSON text.
    pub fn set(&mut self, name: String, value: &Value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.0.insert(name, text);
    }

    /// Replaces each `{{name}}` whose name is known; others stay as they are.
    pub fn fill(&self, text: &str) -> String {
        replace_places(text, |name| self.0.get(name).cloned())
    }

    /// The same in every string and key of a document.
    pub fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(fields) => Value::Object(self.fill_fields(fields)),
            other => other.clone(),
        }
    }

    /// The same in an object.
    pub fn fill_fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        fields.iter().map(|(name, value)| (self.fill(name), self.fill_all(value))).collect()
    }
}

/// Replaces each `{{place}}` for which `value` knows one.
pub fn replace_places(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let known = after.split_once("}}").and_then(|(name, after)| Some((value(name)?, after)));
        if let Some((value, after)) = known {
            filled.push_str(&value);
            rest = after;
        } else {
            // Only one brace is passed over: a place may start at the next one.
            filled.push('{');
            rest = rest.get(before.len() + 1..).unwrap_or_default();
        }
    }
    filled + rest
}

#[test]
fn known_places_are_filled_and_unknown_ones_stay() {
    let mut variables = Variables::default();
    variables.set("user.id".to_owned(), &Value::from(7));
    variables.set("t".to_owned(), &Value::from("a{{b}}"));
    assert_eq!(variables.fill("{{user.id}}/{{{t}}}/{{nobody}}/{{"), "7/{a{{b}}}/{{nobody}}/{{");
}
