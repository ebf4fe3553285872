//! What an endpoint can answer: its success, and its refusals by status.

use std::collections::BTreeMap;

use countersign_token::json::{Object, Value};
use http::StatusCode;

use super::schemas;
use crate::endpoint::{Endpoint, object};
use crate::error::Code;

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

/// Every answer of a document.
pub(super) fn of_document(success: Value) -> Value {
    let mut answers = BTreeMap::from([(StatusCode::OK, success)]);
    let codes = [
        Code::DisallowedHost,
        Code::MalformedRequest,
        Code::RequestLineTooLong,
        Code::ExpectationFailed,
        Code::HeaderTooLong,
    ];
    let unchanged = object([("description", "`If-None-Match` names the present text.".into())]);
    answers.insert(StatusCode::NOT_MODIFIED, unchanged.into());
    refused(&mut answers, &codes);
    by_status(answers)
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
    endpoint.negotiates.then(|| ("text/html", page()))
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
