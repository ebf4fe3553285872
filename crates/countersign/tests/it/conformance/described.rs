//! `docs/openapi.json`, held against every answer that is replayed.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::http_client::Answer;
use super::scenario::Request;
use super::signing::conformance_directory;

/// By status: the media types, and the schema of JSON.
type Answers = BTreeMap<u16, (Vec<String>, Option<Validator>)>;

/// What the document says an operation may answer.
pub struct Described {
    /// By method and path.
    operations: BTreeMap<(String, String), Answers>,
}

impl Described {
    /// Reads the document.
    #[expect(clippy::indexing_slicing, reason = "what a JSON value has not is null, and nothing panics")]
    pub fn read() -> Result<Self, String> {
        let path = conformance_directory().join("../docs/openapi.json");
        let text = std::fs::read_to_string(path).map_err(|error| format!("docs/openapi.json: {error}"))?;
        let document: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let mut operations = BTreeMap::new();
        for (path, item) in members(&document["paths"]) {
            for (method, operation) in members(item).filter(|(name, _)| *name != "parameters") {
                let mut answers = BTreeMap::new();
                for (status, answer) in members(&operation["responses"]) {
                    let status = status.parse().map_err(|_| format!("{status} is no status"))?;
                    let types = members(&answer["content"]).map(|(name, _)| name.clone()).collect();
                    let schema = answer["content"]["application/json"].get("schema");
                    let validator = schema.map(|schema| validator(schema, &document["components"]));
                    answers.insert(status, (types, validator.transpose()?));
                }
                operations.insert((method.to_ascii_uppercase(), path.clone()), answers);
            }
        }
        Ok(Self { operations })
    }

    /// Fails if the document has the operation, but not this answer of it. (What has another method or path is not
    /// in the document.)
    pub fn check(&self, request: &Request, answer: &Answer) -> Result<(), String> {
        let method = if request.method == "HEAD" { "GET" } else { &request.method };
        let path = request.path.split('?').next().unwrap_or_default();
        let Some(answers) = self.operations.get(&(method.to_owned(), path.to_owned())) else { return Ok(()) };
        let (types, schema) = answers
            .get(&answer.status)
            .ok_or_else(|| format!("openapi.json has no {} for {method} {path}", answer.status))?;
        let found = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let has_nothing = found.is_empty() && answer.body.is_empty(); // as what is not even HTTP is answered
        if !has_nothing && !types.iter().any(|known| known == found) {
            return Err(format!("openapi.json has no {found:?} for {method} {path} {}", answer.status));
        }
        let (Some(schema), "application/json", false) = (schema, found, answer.body.is_empty()) else {
            return Ok(());
        };
        let body: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        schema.validate(&body).map_err(|error| {
            format!("openapi.json says otherwise of {method} {path} {}: {error}: {body}", answer.status)
        })
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }
}

/// The schema, of which no member may be left out: an answer must not have what the document does not mention.
fn validator(schema: &Value, components: &Value) -> Result<Validator, String> {
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

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Described, Request};
    use serde_json::json;

    fn checked(status: u16, content_type: &str, body: &str) -> Result<(), String> {
        let described = Described::read().unwrap();
        assert!(described.len() >= 14);
        let request = json!({"method": "GET", "path": "/user/api/me/"});
        let request: Request = serde_json::from_value(request).unwrap();
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let answer = Answer { status, headers, body: body.into(), sent: 0.0, received: 0.0 };
        described.check(&request, &answer)
    }

    #[test]
    fn an_answer_that_the_document_has_passes() {
        checked(200, "application/json", r#"{"id": 1, "username": "ada", "email": ""}"#).unwrap();
        checked(401, "application/json", r#"{"detail": "User not found", "code": "user_not_found"}"#)
            .unwrap();
        checked(401, "text/html; charset=utf-8", "<p>").unwrap();
    }

    #[test]
    fn an_answer_that_the_document_has_not_is_noticed() {
        assert!(checked(200, "application/json", r#"{"id": "1", "username": "ada", "email": ""}"#).is_err());
        assert!(checked(200, "application/json", r#"{"id": 1, "username": "ada"}"#).is_err());
        assert!(
            checked(200, "application/json", r#"{"id": 1, "username": "a", "email": "", "x": 1}"#).is_err()
        );
        assert!(checked(200, "text/plain", "ada").is_err());
        assert!(checked(500, "text/html", "").is_err());
    }
}
