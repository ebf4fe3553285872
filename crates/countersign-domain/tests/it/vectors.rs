//! Reading recorded vectors, for the unit tests beside the code as well as for this binary.

use serde_json::Value;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/vectors/");

/// The text of a vector file.
pub fn read_text(file: &str) -> String {
    std::fs::read_to_string(format!("{DIRECTORY}{file}")).unwrap()
}

/// A JSON vector file, each lone surrogate escape read as U+FFFD.
pub fn read_json(file: &str) -> Value {
    serde_json::from_str(&without_lone_surrogates(&read_text(file))).unwrap()
}

/// The list under `vectors` in a JSON vector file.
pub fn read(file: &str) -> Vec<Value> {
    read_json(file)["vectors"].as_array().unwrap().clone()
}

/// A string member; a missing one is a broken vector.
pub fn string<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member].as_str().unwrap()
}

fn without_lone_surrogates(json: &str) -> String {
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut readable = String::with_capacity(json.len());
    let mut at = 0;
    while let Some(offset) = json[at..].find('\\') {
        let escape = at + offset;
        let length = match (unit(escape), unit(escape + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        let lone = length == 6 && unit(escape).is_some_and(|unit| (0xd800..=0xdfff).contains(&unit));
        readable.push_str(&json[at..escape]);
        readable.push_str(if lone { "\\ufffd" } else { &json[escape..escape + length] });
        at = escape + length;
    }
    readable.push_str(&json[at..]);
    readable
}
