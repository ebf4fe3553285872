//! Whether an answer is the recorded one. The first difference is reported in words.

use jiff::Timestamp;
use regex_automata::meta::Regex;
use serde_json::{Map, Value};

use super::http_client::Answer;
use super::minting::Signer;
use super::scenario::{Expected, Only};
use super::variables::Variables;

/// Response headers whose presence counts, and not only their value.
const WATCHED_HEADERS: [&str; 8] = [
    "content-type",
    "allow",
    "www-authenticate",
    "vary",
    "location",
    "set-cookie",
    "retry-after",
    "cache-control",
];
/// What answers with tokens say beside what is recorded, and no others (`differences.md`).
const OF_TOKENS: (&str, &str) = ("cache-control", "no-store");
/// Seconds by which the clocks of replayer and server may differ.
pub const CLOCK_SLACK: f64 = 15.0;
/// Behind this the reference quotes Python's JSON decoder; any text will do.
const JSON_ERROR: &str = "JSON parse error - ";

pub type Matched = Result<(), String>;

/// What the expectations of one step refer to.
pub struct Matcher<'a> {
    pub variables: &'a Variables,
    pub signer: &'a Signer,
    /// Unix seconds when the scenario began.
    pub began: f64,
    /// Unix seconds before and after the step.
    pub sent: f64,
    pub received: f64,
    /// Whether the keys of an object have to come in the recorded order.
    pub ordered: bool,
}

impl Matcher<'_> {
    /// Compares an answer with the recorded one.
    pub fn answer(&self, expected: &Expected, answer: &Answer) -> Matched {
        if expected.status != answer.status {
            return Err(format!(
                "status {}, expected {}; body {}",
                answer.status,
                expected.status,
                quoted(&answer.text())
            ));
        }
        if let Some(Only::Status) = expected.only {
            return Ok(());
        }
        self.headers(expected, answer)?;
        self.body(expected, answer)
    }

    fn headers(&self, expected: &Expected, answer: &Answer) -> Matched {
        for name in WATCHED_HEADERS {
            let is_known =
                (name, answer.header(name)) == (OF_TOKENS.0, Some(OF_TOKENS.1)) && has_tokens(expected);
            if answer.header(name).is_some() && !expected.headers.contains_key(name) && !is_known {
                return Err(format!("unexpected header {name}: {:?}", answer.header(name)));
            }
        }
        for (name, value) in expected.headers.iter().chain(&expected.also_headers) {
            match answer.header(&name.to_ascii_lowercase()) {
                None if value.is_null() => {}
                None => return Err(format!("header {name} is missing, expected {value}")),
                Some(found) => self.value(value, &found.into(), &format!("header {name}"))?,
            }
        }
        Ok(())
    }

    fn body(&self, expected: &Expected, answer: &Answer) -> Matched {
        let text = answer.text();
        if let Some(raw) = &expected.raw
            && !raw.contains(JSON_ERROR)
            && text != self.variables.fill(raw)
        {
            return Err(format!("body {}, expected exactly {}", quoted(&text), quoted(raw)));
        }
        if let Some(json) = &expected.json {
            let document: Value = serde_json::from_slice(&answer.body)
                .map_err(|error| format!("body is not JSON: {error}: {}", quoted(&text)))?;
            self.value(json, &document, "body")?;
        }
        match &expected.text {
            Some(matcher) => self.value(matcher, &text.into(), "body"),
            None => Ok(()),
        }
    }

    /// Compares a value with the recorded one or with what a matcher (`{"$any": …}`) allows; `place` says where it
    /// stands.
    pub fn value(&self, expected: &Value, found: &Value, place: &str) -> Matched {
        match expected {
            Value::Object(fields) => {
                match fields.keys().find(|name| name.starts_with('$')).map(String::as_str) {
                    Some("$any") => self.any(fields, found, place),
                    Some("$contains") => self.contains(fields, found, place),
                    Some("$regex") => self.regex(fields, found, place),
                    Some(other) => Err(format!("{place}: the recording has an unknown matcher {other}")),
                    None => self.object(fields, found, place),
                }
            }
            Value::Array(items) => match found.as_array() {
                Some(others) if others.len() == items.len() => {
                    items.iter().zip(others).enumerate().try_for_each(|(index, (item, other))| {
                        self.value(item, other, &format!("{place}/{index}"))
                    })
                }
                _ => Err(differs(place, expected, found)),
            },
            Value::String(text) => {
                let wanted = self.variables.fill(text);
                let is_free = |text: &str| text.starts_with(JSON_ERROR);
                match found.as_str() {
                    Some(other) if other == wanted || is_free(&wanted) && is_free(other) => Ok(()),
                    _ => Err(differs(place, &wanted.into(), found)),
                }
            }
            // Integers and floats are different values, as they are in Python.
            _ if expected == found => Ok(()),
            _ => Err(differs(place, expected, found)),
        }
    }

    /// Compares two objects: keys, their order where it counts, and values.
    pub fn object(&self, fields: &Map<String, Value>, found: &Value, place: &str) -> Matched {
        let others = found.as_object().ok_or_else(|| format!("{place}: expected an object, got {found}"))?;
        let (names, other_names) = (names(fields), names(others));
        let same = if self.ordered { names == other_names } else { sorted(&names) == sorted(&other_names) };
        if !same {
            return Err(format!("{place}: keys {other_names:?}, expected {names:?}"));
        }
        fields.iter().try_for_each(|(name, value)| {
            self.value(value, others.get(name).unwrap_or(&Value::Null), &format!("{place}/{name}"))
        })
    }

    fn any(&self, fields: &Map<String, Value>, found: &Value, place: &str) -> Matched {
        let kind = fields.get("$any").and_then(Value::as_str).unwrap_or_default();
        let text = found.as_str();
        let fits = match kind {
            "jwt" => return self.token(fields, found, place),
            "any" => true,
            "string" => text.is_some(),
            "nonempty" => text.is_some_and(|text| !text.is_empty()),
            "int" => found.is_i64() || found.is_u64(),
            "number" => found.is_number(),
            "bool" => found.is_boolean(),
            "hex32" => text.is_some_and(is_uuid4_hex),
            "md5upper" => text.is_some_and(|text| text.len() == 32 && text.chars().all(is_upper_hex)),
            "datetime" => text.is_some_and(|text| text.parse::<Timestamp>().is_ok()),
            "html" => text.is_some_and(is_html),
            other => return Err(format!("{place}: the recording has an unknown kind {other}")),
        };
        if !fits {
            return Err(format!("{place}: expected {kind}, got {found}"));
        }
        if let Some(wanted) = fields.get("equals") {
            let as_text = text.map_or_else(|| found.to_string(), str::to_owned);
            self.value(wanted, &as_text.into(), place)?;
        }
        if let Some(prefix) = fields.get("prefix").and_then(Value::as_str) {
            let prefix = self.variables.fill(prefix);
            if !text.is_some_and(|text| text.starts_with(&prefix)) {
                return Err(format!("{place}: expected prefix {prefix:?}, got {found}"));
            }
        }
        match (fields.get("from_now").and_then(Value::as_f64), text.and_then(|text| text.parse().ok())) {
            (Some(offset), Some(time)) => self.is_about(time, offset, place),
            _ => Ok(()),
        }
    }

    fn is_about(&self, time: Timestamp, offset: f64, place: &str) -> Matched {
        // A row may have been written by any earlier step, and hashing on a busy machine takes its time.
        let (early, late) = (self.began + offset - CLOCK_SLACK, self.received + offset + CLOCK_SLACK);
        if !(early..=late).contains(&time.as_duration().as_secs_f64()) {
            return Err(format!("{place}: {time} is not about now{offset:+}"));
        }
        Ok(())
    }

    fn contains(&self, fields: &Map<String, Value>, found: &Value, place: &str) -> Matched {
        let parts = fields.get("$contains").and_then(Value::as_array).into_iter().flatten();
        let text = found.as_str().unwrap_or_default();
        for part in parts.filter_map(Value::as_str) {
            if !text.contains(&self.variables.fill(part)) {
                return Err(format!("{place}: {part:?} not found in {}", quoted(text)));
            }
        }
        Ok(())
    }

    fn regex(&self, fields: &Map<String, Value>, found: &Value, place: &str) -> Matched {
        let pattern = self.variables.fill(fields.get("$regex").and_then(Value::as_str).unwrap_or_default());
        let whole = Regex::new(&format!(r"(?s)\A(?:{pattern})\z")).map_err(|error| error.to_string())?;
        if !found.as_str().is_some_and(|text| whole.is_match(text)) {
            return Err(format!("{place}: {found} does not match {pattern:?}"));
        }
        Ok(())
    }
}

fn differs(place: &str, expected: &Value, found: &Value) -> String {
    format!("{place}: expected {expected}, got {found}")
}

fn names(fields: &Map<String, Value>) -> Vec<&String> {
    fields.keys().collect()
}

fn sorted<'a>(names: &[&'a String]) -> Vec<&'a String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

/// A UUID of version 4 in 32 lower-case digits.
fn is_uuid4_hex(text: &str) -> bool {
    text.len() == 32
        && text.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'))
        && text.get(12..13) == Some("4")
        && text.get(16..17).is_some_and(|variant| "89ab".contains(variant))
}

fn is_upper_hex(digit: char) -> bool {
    matches!(digit, '0'..='9' | 'A'..='F')
}

fn is_html(text: &str) -> bool {
    text.trim_start().to_ascii_lowercase().starts_with("<!doctype html")
}

/// The text with its beginning only, should it be long.
fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(600).collect::<String>())
}

/// Whether the recorded answer is one that hands out tokens.
fn has_tokens(expected: &Expected) -> bool {
    let has = |name| expected.json.as_ref().is_some_and(|body| body.get(name).is_some());
    expected.status == 200 && (has("access") || has("token"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Answer, Expected, Matched, Matcher, Signer, Variables};

    fn with_matcher<T>(ordered: bool, check: impl FnOnce(&Matcher<'_>) -> T) -> T {
        let mut variables = Variables::default();
        variables.set("name".to_owned(), &"alice".into());
        let signer = Signer::new(&Map::new(), "secret");
        let (began, sent, received) = (990.0, 1000.0, 1001.0);
        check(&Matcher { variables: &variables, signer: &signer, began, sent, received, ordered })
    }

    fn compare(expected: &Value, found: &Value) -> Matched {
        with_matcher(true, |matcher| matcher.value(expected, found, "body"))
    }

    fn answer(expected: Value, headers: &[(&str, &str)], body: &str) -> Matched {
        let expected: Expected = serde_json::from_value(expected).unwrap();
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = Answer { status: 200, headers, body: body.into(), sent: 1000.0, received: 1001.0 };
        with_matcher(true, |matcher| matcher.answer(&expected, &answer))
    }

    #[test]
    fn values_are_equal_in_type_text_and_order() {
        let fits = [
            (json!({"a": 1, "b": ["{{name}}"]}), json!({"a": 1, "b": ["alice"]})),
            (json!("JSON parse error - a"), json!("JSON parse error - b")),
            (json!({"$any": "int", "equals": "7"}), json!(7)),
            (json!({"$any": "nonempty", "prefix": "ali"}), json!("alice")),
            (json!({"$any": "hex32"}), json!("0123456789ab4def8123456789abcdef")),
            (json!({"$any": "md5upper"}), json!("0123456789ABCDEF0123456789ABCDEF")),
            (json!({"$any": "datetime", "from_now": 60}), json!("1970-01-01T00:17:40+00:00")),
            (json!({"$any": "html"}), json!("\n<!DOCTYPE html>…")),
            (json!({"$regex": "a.c|x"}), json!("a\nc")),
            (json!({"$contains": ["lic", "{{name}}"]}), json!("alice")),
        ];
        for (expected, found) in fits {
            assert_eq!(compare(&expected, &found), Ok(()));
        }
    }

    #[test]
    fn other_values_are_refused() {
        let differs = [
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1})),
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!(1), json!(1.0)),
            (json!([1]), json!([1, 1])),
            (json!(null), json!(false)),
            (json!("JSON parse error - a"), json!("JSON parse terror - a")),
            (json!({"$any": "int"}), json!(1.5)),
            (json!({"$any": "int", "equals": "7"}), json!(8)),
            (json!({"$any": "hex32"}), json!("0123456789ab1def8123456789abcdef")),
            (json!({"$any": "datetime", "from_now": 0}), json!("1970-01-01T00:17:40+00:00")),
            (json!({"$any": "colour"}), json!("red")),
            (json!({"$regex": "a"}), json!("ab")),
            (json!({"$contains": ["bob"]}), json!("alice")),
            (json!({"$like": "a"}), json!("a")),
        ];
        for (expected, found) in differs {
            assert!(compare(&expected, &found).is_err(), "{expected} {found}");
        }
        let (one, other) = (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}));
        assert_eq!(with_matcher(false, |matcher| matcher.value(&one, &other, "")), Ok(()));
    }

    #[test]
    fn headers_and_raw_bodies_count() {
        let typed = [("content-type", "text/plain")];
        let expected = json!({"status": 200, "headers": {"content-type": "text/plain"}, "raw": "{{name}} "});
        assert_eq!(answer(expected.clone(), &typed, "alice "), Ok(()));
        assert!(answer(expected.clone(), &typed, "alice").is_err());
        assert!(answer(expected.clone(), &[], "alice ").is_err());
        assert!(answer(expected, &[("content-type", "text/plain"), ("vary", "Accept")], "alice ").is_err());
        let absent = json!({"status": 200, "also_headers": {"x-frame-options": null}});
        assert_eq!(answer(absent.clone(), &[], ""), Ok(()));
        assert!(answer(absent, &[("x-frame-options", "DENY")], "").is_err());
        assert!(answer(json!({"status": 201}), &[], "").is_err());
        let no_store = [("cache-control", "no-store")];
        let tokens = json!({"status": 200, "json": {"access": "a"}});
        for headers in [&no_store[..], &[]] {
            assert_eq!(answer(tokens.clone(), headers, "{\"access\":\"a\"}"), Ok(()));
        }
        assert!(answer(tokens, &[("cache-control", "no-cache")], "{\"access\":\"a\"}").is_err());
        assert!(answer(json!({"status": 200, "json": {}}), &no_store, "{}").is_err());
        assert_eq!(answer(json!({"status": 200, "only": "status"}), &typed, "x"), Ok(()));
    }
}
