//! What an endpoint can answer: its success, and its refusals by status.

use std::collections::BTreeMap;

use countersign_token::json::{self, Object, Value};
use http::StatusCode;

use super::schemas;
use crate::document::{self, Document};
use crate::endpoint::{Endpoint, object};
use crate::error::Code;
use crate::health::About;

/// Every answer of an endpoint to its method.
pub(super) fn of_endpoint(endpoint: &Endpoint) -> Value {
    let about = &endpoint.operation;
    let mut answers = BTreeMap::new();
    let mut success = object([("description", about.summary.into())]);
    if let Some((schema, example)) = schemas::of_shape(about.body) {
        let json = object([("schema", schema), ("example", example)]).into();
        let page = about_page(endpoint);
        success.insert("content", object([("application/json", json)].into_iter().chain(page)));
    }
    answers.insert(about.status, success.into());
    refused(&mut answers, &endpoint.refusals());
    by_status(answers)
}

/// What any request can meet before it is looked at.
const HEADS: [Code; 4] =
    [Code::MalformedRequest, Code::RequestLineTooLong, Code::ExpectationFailed, Code::HeaderTooLong];

/// Every answer of a document.
pub(super) fn of_document(document: &Document) -> Value {
    let media = document.content_types.iter().map(|&full| match full {
        document::JSON => (full, json_like(document.example)),
        other => (other.split(';').next().unwrap_or(other), page()),
    });
    let success = described(document.summary, object(media));
    let unchanged = object([("description", "`If-None-Match` names the present text.".into())]);
    let mut answers =
        BTreeMap::from([(StatusCode::OK, success), (StatusCode::NOT_MODIFIED, unchanged.into())]);
    let [malformed, rest @ ..] = HEADS;
    let last = [Code::ServerError, Code::NoPlace];
    refused(&mut answers, &[&[Code::DisallowedHost, malformed], &rest[..], &last].concat());
    by_status(answers)
}

/// Every answer of a probe.
pub(super) fn of_probe(probe: &About) -> Value {
    let json = |example| object([(document::JSON, json_like(example))]);
    let mut answers = BTreeMap::from([(StatusCode::OK, described(probe.summary, json(probe.example)))]);
    if let Some(example) = probe.bad_example {
        answers.insert(StatusCode::SERVICE_UNAVAILABLE, described("Not now.", json(example)));
    }
    refused(&mut answers, &HEADS);
    by_status(answers)
}

fn described(description: &str, content: Object) -> Value {
    object([("description", description.into()), ("content", content.into())]).into()
}

/// JSON that has the members of its example, and perhaps others.
fn json_like(example: &str) -> Value {
    let example = json::parse(example).expect("it is written here, and a test reads it");
    let required = match &example {
        Value::Object(members) => {
            members.iter().filter_map(|(name, _)| Some(name.as_str()?.into())).collect()
        }
        _ => Vec::new(),
    };
    let schema = object([("type", "object".into()), ("required", Value::Array(required))]);
    object([("schema", schema.into()), ("example", example)]).into()
}

fn refused(answers: &mut BTreeMap<StatusCode, Value>, codes: &[Code]) {
    let mut statuses: Vec<StatusCode> = codes.iter().map(|code| code.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        let codes: Vec<Code> = codes.iter().copied().filter(|code| code.status() == status).collect();
        answers.insert(status, refusal(&codes));
    }
}

/// The refusals of one status.
fn refusal(codes: &[Code]) -> Value {
    let lines: Vec<String> =
        codes.iter().map(|code| format!("- `{}`: {} {}", code.name(), code.cause(), code.remedy())).collect();
    let mut schemas = Vec::new();
    let mut examples = Object::default();
    for code in codes {
        let Some(body) = code.example().and_then(|error| error.body()) else { continue };
        schemas.push(schemas::of_refusal(&body));
        let example = object([("summary", code.cause().into()), ("value", body.into())]);
        examples.insert(code.name(), example);
    }
    let mut content = Object::default();
    if !schemas.is_empty() {
        let any = object([("anyOf", Value::Array(schemas))]);
        content.insert("application/json", object([("schema", any.into()), ("examples", examples.into())]));
    }
    content.insert("text/html", page());
    object([("description", lines.join("\n").into()), ("content", content.into())]).into()
}

/// The page that a browser may get in place of JSON.
fn about_page(endpoint: &Endpoint) -> Option<(&'static str, Value)> {
    endpoint.negotiates().then(|| ("text/html", page()))
}

fn page() -> Value {
    object([("schema", object([("type", "string".into())]).into())]).into()
}

fn by_status(answers: BTreeMap<StatusCode, Value>) -> Value {
    let mut object = Object::default();
    for (status, answer) in answers {
        object.insert(status.as_str(), answer);
    }
    object.into()
}
