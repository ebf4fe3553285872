//! JSON Schemas (2020-12) of bodies, and examples of them.

use countersign_token::json::{Object, Value};

use crate::endpoint::{Field, object};
use crate::operation::{EXAMPLE_TOKEN, Kind, Member, Shape};

/// The schemas of refusals, which `components` has: the name of each is what [`of_refusal`] refers to.
pub(super) fn of_refusals() -> Object {
    let text = || object([("type", "string".into())]).into();
    let texts =
        || object([("type", "array".into()), ("items", text()), ("minItems", Value::Int(1.into()))]).into();
    let tried = [("token_class", text()), ("token_type", text()), ("message", text())];
    let tried = object([("type", "array".into()), ("items", closed(tried))]).into();
    let by_field = [("type", "object".into()), ("additionalProperties", texts())];
    object([
        ("Refusal", closed([("detail", text())])),
        ("CodedRefusal", closed([("detail", text()), ("code", text())])),
        ("BearerRefusal", closed([("detail", text()), ("code", text()), ("messages", tried)])),
        ("NonFieldErrors", closed([("non_field_errors", texts())])),
        ("FieldErrors", object(by_field).into()),
    ])
}

/// The schema of a refusal with this body.
pub(super) fn of_refusal(body: &Object) -> Value {
    let has = |name: &str| body.contains_key(name);
    let name = match (has("messages"), has("code"), has("detail"), has("non_field_errors")) {
        (true, _, _, _) => "BearerRefusal",
        (_, true, _, _) => "CodedRefusal",
        (_, _, true, _) => "Refusal",
        (_, _, _, true) => "NonFieldErrors",
        _ => "FieldErrors",
    };
    object([("$ref", format!("#/components/schemas/{name}").into())]).into()
}

/// The schema and an example of a body, if there is one.
pub(super) fn of_shape(shape: Shape) -> Option<(Value, Value)> {
    match shape {
        Shape::Nothing => None,
        Shape::Object(members) => Some((of_members(members), example(members))),
        Shape::List(members) => {
            let list = object([("type", "array".into()), ("items", of_members(members))]);
            Some((list.into(), Value::Array(vec![example(members)])))
        }
    }
}

/// The schema of a form.
pub(super) fn of_fields(fields: &[Field]) -> Value {
    let sent: Vec<&Field> = fields.iter().filter(|field| !field.read_only).collect();
    let properties = sent.iter().map(|field| (field.name, of_field(field)));
    let required = sent.iter().filter(|field| field.required).map(|field| field.name.into()).collect();
    object([
        ("type", "object".into()),
        ("properties", object(properties).into()),
        ("required", Value::Array(required)),
    ])
    .into()
}

fn of_field(field: &Field) -> Value {
    let mut schema = object([("type", "string".into())]);
    if field.kind == "email" {
        schema.insert("format", "email");
    }
    if field.name == "password" {
        schema.insert("format", "password");
    }
    if let Some(max_length) = field.max_length {
        schema.insert("maxLength", max_length);
    }
    if let Some(help_text) = field.help_text {
        schema.insert("description", help_text);
    }
    schema.into()
}

fn of_members(members: &[Member]) -> Value {
    let properties = members.iter().map(|member| (member.name, of_member(member)));
    let required = members.iter().filter(|member| member.is_always_there);
    let required = required.map(|member| member.name.into()).collect();
    object([
        ("type", "object".into()),
        ("properties", object(properties).into()),
        ("required", Value::Array(required)),
    ])
    .into()
}

fn of_member(member: &Member) -> Value {
    let text = || Value::from("string");
    let mut schema = match member.kind {
        Kind::Integer(_) => object([("type", "integer".into())]),
        Kind::Boolean(_) => object([("type", "boolean".into())]),
        Kind::Text(_) | Kind::Token => object([("type", text())]),
        Kind::TextOrNull(_) => object([("type", Value::Array(vec![text(), "null".into()]))]),
        Kind::Time(_) => object([("type", text()), ("format", "date-time".into())]),
    };
    if !member.meaning.is_empty() {
        schema.insert("description", member.meaning);
    }
    schema.into()
}

fn example(members: &[Member]) -> Value {
    let value = |member: &Member| match member.kind {
        Kind::Integer(number) => number.into(),
        Kind::Boolean(truth) => truth.into(),
        Kind::Text(text) | Kind::TextOrNull(text) | Kind::Time(text) => text.into(),
        Kind::Token => EXAMPLE_TOKEN.into(),
    };
    object(members.iter().map(|member| (member.name, value(member)))).into()
}

/// An object of exactly these members.
fn closed<'a>(members: impl IntoIterator<Item = (&'a str, Value)> + Clone) -> Value {
    let required = members.clone().into_iter().map(|(name, _)| name.into()).collect();
    object([
        ("type", "object".into()),
        ("properties", object(members).into()),
        ("required", Value::Array(required)),
        ("additionalProperties", false.into()),
    ])
    .into()
}
