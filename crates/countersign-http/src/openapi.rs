//! The OpenAPI 3.1 document, made of the route table and of what each endpoint declares. It describes the defaults, but for what users log in with
//! and how tokens are sent.

use countersign_token::json::{Object, Value};
use http::header::AUTHORIZATION;

use crate::document::Document;
use crate::endpoint::{Authentication, Endpoint, EndpointMethod, Field, object};
use crate::health::{About, PROBES};
use crate::operation::{Asked, Group};
use crate::routes::{ARGUMENT, DOCUMENTS, Served, endpoints};
use crate::service::Settings;

mod answers;
mod schemas;

const ABOUT: &str = "Accounts, tokens and sessions, on the wire of Django REST Framework with Simple JWT.\n\n\
    Log in, and send the access token as `Authorization: Bearer ACCESS`. When it is refused, refresh it once. \
    Bodies may also be forms; answers are JSON, or a page where `Accept` asks for HTML.";

/// What every endpoint that lets the client choose takes.
const FORMAT: Asked = Asked {
    name: "format",
    meaning: "The form of the answer, in place of `Accept`.",
    values: &["json", "api"],
};

/// How a token is sent.
pub(crate) enum TokenHeader<'a> {
    /// As `Authorization: Bearer ACCESS`.
    Bearer,
    /// In another header, or after another word.
    Other { name: &'a str, word: &'a str },
}

impl<'a> TokenHeader<'a> {
    pub(crate) fn of(settings: &'a Settings) -> Self {
        let name = settings.auth_header_name.as_str();
        match settings.auth_header_types.first().map(String::as_str) {
            None => Self::Bearer,
            Some("Bearer") if settings.auth_header_name == AUTHORIZATION => Self::Bearer,
            Some(word) => Self::Other { name, word },
        }
    }

    /// OpenAPI knows no word but `Bearer`; `x-word` is for the pages that fill the header in.
    fn security_scheme(&self) -> Value {
        match self {
            Self::Bearer => {
                object([("type", "http".into()), ("scheme", "bearer".into()), ("bearerFormat", "JWT".into())])
            }
            Self::Other { name, word } => object([
                ("type", "apiKey".into()),
                ("in", "header".into()),
                ("name", (*name).into()),
                ("description", format!("`{word} ACCESS`").into()),
                ("x-word", (*word).into()),
            ]),
        }
        .into()
    }
}

/// The document.
pub(crate) fn document(served: Served, header: &TokenHeader<'_>) -> Value {
    let tags = Group::ALL
        .map(|group| object([("name", group.name().into()), ("description", group.about().into())]).into());
    let info = [
        ("title", "Countersign".into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("description", ABOUT.into()),
        ("license", object([("name", "MIT".into()), ("identifier", "MIT".into())]).into()),
    ];
    object([
        ("openapi", "3.1.0".into()),
        ("info", object(info).into()),
        ("servers", Value::Array(vec![object([("url", "/".into())]).into()])),
        ("tags", Value::Array(tags.into())),
        ("paths", paths(served).into()),
        ("components", components(header).into()),
    ])
    .into()
}

fn paths(served: Served) -> Object {
    let endpoints = endpoints(served).map(|(path, endpoint)| (path, path_item(path, endpoint)));
    let documents = DOCUMENTS.iter().filter(|document| !document.content_types.is_empty());
    let documents = documents.map(|document| (document.path, document_item(document)));
    let probes = PROBES.iter().map(|probe| (probe.path, probe_item(probe)));
    object(endpoints.chain(documents).chain(probes))
}

fn components(header: &TokenHeader<'_>) -> Object {
    object([
        ("schemas", schemas::of_refusals().into()),
        ("securitySchemes", object([("bearer", header.security_scheme())]).into()),
    ])
}

fn path_item(path: &str, endpoint: &Endpoint) -> Value {
    let mut item = Object::default();
    if path.contains(ARGUMENT) {
        item.insert("parameters", Value::Array(vec![path_parameter()]));
    }
    let method = match endpoint.method {
        EndpointMethod::Get => "get",
        EndpointMethod::Post => "post",
        EndpointMethod::Delete => "delete",
    };
    item.insert(method, operation(endpoint));
    item.into()
}

fn operation(endpoint: &Endpoint) -> Value {
    let about = &endpoint.operation;
    let mut operation = object([
        ("operationId", endpoint.name.to_ascii_lowercase().replace(' ', "_").into()),
        ("tags", Value::Array(vec![about.group.name().into()])),
        ("summary", about.summary.into()),
    ]);
    if !about.details.is_empty() {
        operation.insert("description", about.details);
    }
    let format = endpoint.negotiates().then_some(&FORMAT);
    let query = about.query.iter().chain(format).map(query_parameter).collect();
    operation.insert("parameters", Value::Array(query));
    if !endpoint.fields.is_empty() {
        operation.insert("requestBody", request_body(endpoint.fields));
    }
    operation.insert("responses", answers::of_endpoint(endpoint));
    let bearer = || object([("bearer", Value::Array(Vec::new()))]).into();
    let security = match endpoint.authentication {
        Authentication::Ignored => Vec::new(),
        Authentication::Optional => vec![object([]).into(), bearer()],
        Authentication::Required => vec![bearer()],
    };
    operation.insert("security", Value::Array(security));
    operation.into()
}

fn document_item(document: &Document) -> Value {
    get_item(document.name, document.summary, answers::of_document(document))
}

fn probe_item(probe: &About) -> Value {
    get_item(probe.name, probe.summary, answers::of_probe(probe))
}

fn get_item(name: &'static str, summary: &'static str, responses: Value) -> Value {
    let operation = object([
        ("operationId", name.into()),
        ("tags", Value::Array(vec![Group::Server.name().into()])),
        ("summary", summary.into()),
        ("responses", responses),
        ("security", Value::Array(Vec::new())),
    ]);
    object([("get", operation.into())]).into()
}

fn request_body(fields: &[Field]) -> Value {
    let media = || object([("schema", schemas::of_fields(fields)), ("example", example(fields))]).into();
    let content = object([
        ("application/json", media()),
        ("application/x-www-form-urlencoded", media()),
        ("multipart/form-data", media()),
    ]);
    object([("required", true.into()), ("content", content.into())]).into()
}

fn example(fields: &[Field]) -> Value {
    let sent = fields.iter().filter(|field| !field.read_only);
    object(sent.map(|field| (field.name, field.example.into()))).into()
}

fn path_parameter() -> Value {
    let schema = object([("type", "string".into()), ("pattern", "^[0-9A-Za-z]+$".into())]);
    object([
        ("name", "id".into()),
        ("in", "path".into()),
        ("required", true.into()),
        ("schema", schema.into()),
        ("example", "8f0c2a5b5a3e4c0f9d1e2b3a4c5d6e7f".into()),
    ])
    .into()
}

fn query_parameter(asked: &Asked) -> Value {
    let mut schema = object([("type", "string".into())]);
    if !asked.values.is_empty() {
        schema.insert("enum", Value::Array(asked.values.iter().map(|&value| value.into()).collect()));
    }
    object([
        ("name", asked.name.into()),
        ("in", "query".into()),
        ("description", asked.meaning.into()),
        ("allowEmptyValue", true.into()),
        ("schema", schema.into()),
    ])
    .into()
}
