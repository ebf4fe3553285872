//! Reads the recorded vectors.

use countersign_token::json::{Object, Value, parse_constants};
use countersign_token::{Algorithm, Audience, KeyError, Keys, Settings};
use jiff::{SignedDuration, Timestamp};
use std::{fs, path::Path};

/// The root object of a vector file.
pub fn root(file: &str) -> Object {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/vectors")).join(file);
    match parse_constants(&fs::read_to_string(path).unwrap()).unwrap() {
        Value::Object(root) => root,
        other => panic!("{file} is not an object: {other:?}"),
    }
}

/// The objects under "vectors" in a file.
pub fn list(file: &str) -> Vec<Object> {
    objects(root(file).get("vectors").unwrap())
}

pub fn objects(value: &Value) -> Vec<Object> {
    array(value).iter().map(|item| object(item).clone()).collect()
}

pub fn array(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        other => panic!("not an array: {other:?}"),
    }
}

pub fn object(value: &Value) -> &Object {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other:?}"),
    }
}

pub fn text<'a>(vector: &'a Object, key: &str) -> Option<&'a str> {
    vector.get(key).and_then(Value::as_str)
}

/// The moment at which every token vector was recorded.
pub fn recorded_at() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap()
}

/// PEM texts of the recorded keys; `.pub` for the public ones.
pub fn pem(name: &str) -> String {
    text(object(root("tokens.json").get("keys").unwrap()), name).unwrap().to_owned()
}

fn pem_in<'a>(root: &'a Object, name: &str) -> &'a [u8] {
    text(object(root.get("keys").unwrap()), name).unwrap().as_bytes()
}

/// The keys and settings that a token vector was recorded with.
pub fn backend(root: &Object, vector: &Object) -> Result<(Settings, Keys), KeyError> {
    let backend = object(vector.get("backend").unwrap());
    let algorithm = Algorithm::from_name(text(backend, "algorithm").unwrap()).unwrap();
    let keys = match text(backend, "key") {
        Some(name) => Keys::new(algorithm, pem_in(root, name), pem_in(root, &format!("{name}.pub")))?,
        None => Keys::new(algorithm, text(root, "secret").unwrap().as_bytes(), b"")?,
    };
    let audience = match backend.get("audience") {
        None | Some(Value::Null) => None,
        Some(Value::String(one)) => Some(Audience::One(one.clone())),
        Some(list) => {
            Some(Audience::List(array(list).iter().map(|one| one.as_str().unwrap().to_owned()).collect()))
        }
    };
    let leeway = match backend.get("leeway") {
        None | Some(Value::Null) => SignedDuration::ZERO,
        Some(number) => SignedDuration::from_secs_f64(number.to_python_str().parse().unwrap()),
    };
    let issuer = text(backend, "issuer").map(str::to_owned);
    Ok((Settings { audience, issuer, leeway, ..Settings::default() }, keys))
}
