//! `docs/openapi.json`, held against every answer that a test of the wire gets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// By status: the media types, and the schema of JSON.
type Answers = BTreeMap<u16, (Vec<String>, Option<Validator>)>;

/// What the document says an operation may answer.
pub struct Described {
    /// By method and path.
    operations: BTreeMap<(String, String), Answers>,
    /// How many answers were held against it, and of which operations.
    held: Mutex<(usize, BTreeSet<String>)>,
}

/// An answer, as far as it is described.
#[derive(Clone, Copy)]
pub struct Got<'a> {
    pub status: u16,
    pub content_type: &'a str,
    pub body: &'a [u8],
}

impl Described {
    /// Reads the document.
    pub fn read() -> Result<Self, String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let text = std::fs::read_to_string(path).map_err(|error| format!("docs/openapi.json: {error}"))?;
        Self::of(&text)
    }

    /// Reads such a document.
    pub fn of(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut operations = BTreeMap::new();
        for (path, item) in members(document.get("paths")) {
            for (method, operation) in members(Some(item)).filter(|(name, _)| *name != "parameters") {
                let mut answers = BTreeMap::new();
                for (status, answer) in members(operation.get("responses")) {
                    let status = status.parse().map_err(|_| format!("{status} is no status"))?;
                    let types = members(answer.get("content")).map(|(name, _)| name.clone()).collect();
                    let schema = answer.pointer("/content/application~1json/schema");
                    let validator = schema.map(|schema| validator(schema, document.get("components")));
                    answers.insert(status, (types, validator.transpose()?));
                }
                operations.insert((method.to_ascii_uppercase(), path.clone()), answers);
            }
        }
        Ok(Self { operations, held: Mutex::default() })
    }

    /// Fails if the document has the operation, but not this answer of it. (What has another method or path is not
    /// in the document.)
    pub fn check(&self, method: &str, target: &str, got: &Got<'_>) -> Result<(), String> {
        let method = if method == "HEAD" { "GET" } else { method };
        let path = target.split('?').next().unwrap_or_default();
        let found =
            self.operations.iter().find(|((known, template), _)| known == method && fits(template, path));
        let Some(((_, template), answers)) = found else { return Ok(()) };
        let name = format!("{method} {template}");
        let Got { status, content_type, body } = *got;
        // The document has it, and every one is an error of ours.
        if status == 500 {
            return Err(format!("{name} panicked"));
        }
        let (types, schema) =
            answers.get(&status).ok_or_else(|| format!("openapi.json has no {status} for {name}"))?;
        let found = content_type.split(';').next().unwrap_or_default();
        // As what is not even HTTP is answered, or what has no body.
        let has_nothing = found.is_empty() && body.is_empty();
        if !has_nothing && !types.iter().any(|known| known == found) {
            return Err(format!("openapi.json has no {found:?} for {name} {status}"));
        }
        if let (Some(schema), "application/json", false) = (schema, found, body.is_empty()) {
            let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            schema.validate(&body).map_err(|error| {
                format!("openapi.json says otherwise of {name} {status}: {error}: {body}")
            })?;
        }
        let mut held = self.held.lock().map_err(|error| error.to_string())?;
        held.0 += 1;
        held.1.insert(name);
        Ok(())
    }

    /// How many answers were held against it, and of how many operations.
    pub fn held(&self) -> (usize, usize) {
        let held = self.held.lock().expect("nobody has panicked with it");
        (held.0, held.1.len())
    }
}

/// Whether a path is of a template, of which what is in braces stands for letters and digits.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(part, found): (&&str, &&str)| {
        let is_argument = !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_alphanumeric());
        part == found || part.starts_with('{') && is_argument
    };
    template.len() == path.len() && template.iter().zip(&path).all(fits)
}

/// The schema, of which no member may be left out: an answer must not have what the document does not mention.
fn validator(schema: &Value, components: Option<&Value>) -> Result<Validator, String> {
    let whole = closed(&json!({ "allOf": [schema], "components": components }));
    jsonschema::draft202012::new(&whole).map_err(|error| error.to_string())
}

fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut closed: Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), self::closed(value))).collect();
            if members.get("type") == Some(&json!("object")) && members.contains_key("properties") {
                closed.insert("additionalProperties".to_owned(), json!(false));
            }
            Value::Object(closed)
        }
        Value::Array(items) => Value::Array(items.iter().map(closed).collect()),
        other => other.clone(),
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::{Described, Got};

    fn checked(method: &str, path: &str, status: u16, content_type: &str, body: &str) -> Result<(), String> {
        let described = Described::read().unwrap();
        let got = Got { status, content_type, body: body.as_bytes() };
        let checked = described.check(method, path, &got);
        assert_eq!(described.held(), if checked.is_ok() { (1, 1) } else { (0, 0) });
        checked
    }

    fn me(status: u16, content_type: &str, body: &str) -> Result<(), String> {
        checked("GET", "/user/api/me/?format=json", status, content_type, body)
    }

    #[test]
    fn an_answer_that_the_document_has_passes() {
        me(200, "application/json", r#"{"id": 1, "username": "ada", "email": ""}"#).unwrap();
        me(401, "application/json", r#"{"detail": "User not found", "code": "user_not_found"}"#).unwrap();
        me(401, "text/html; charset=utf-8", "<p>").unwrap();
        checked("DELETE", "/user/api/sessions/0a/", 204, "", "").unwrap();
    }

    #[test]
    fn an_answer_that_the_document_has_not_is_noticed() {
        assert!(me(200, "application/json", r#"{"id": "1", "username": "ada", "email": ""}"#).is_err());
        assert!(me(200, "application/json", r#"{"id": 1, "username": "ada"}"#).is_err());
        assert!(me(200, "application/json", r#"{"id": 1, "username": "a", "email": "", "x": 1}"#).is_err());
        assert!(me(200, "text/plain", "ada").is_err());
        assert!(me(500, "text/html", "").is_err());
        assert!(checked("DELETE", "/user/api/sessions/0a/", 200, "application/json", "{}").is_err());
    }
}
