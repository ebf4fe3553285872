//! Reads the recorded vectors.

use countersign_token::json::{Object, Value, parse_constants};
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
