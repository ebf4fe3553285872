//! The parsers of requests, against the vectors.

mod arbitrary;
mod bodies;
mod charsets;
mod hosts;
mod multiparts;
mod negotiation;
mod paths;

use serde_json::Value;

/// The vectors of a file, with U+FFFD for each lone surrogate, which a Rust string cannot hold.
fn vectors(file: &str) -> Vec<Value> {
    let path = format!("{}/../../conformance/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let document: Value = serde_json::from_str(&without_lone_surrogates(&text)).unwrap();
    document["vectors"].as_array().unwrap().clone()
}

fn without_lone_surrogates(text: &str) -> String {
    let unit = |escape: &str| {
        let hex = escape.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(hex, 16).ok()
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let taken = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => 0,
            _ => 2,
        };
        out.push_str(if taken == 0 { "\\ufffd" } else { &escape[..taken] });
        rest = &escape[if taken == 0 { 6 } else { taken }..];
    }
    out + rest
}

/// The body of a vector: text or base64.
fn body(vector: &Value) -> Vec<u8> {
    use base64::Engine as _;
    match (vector.get("body"), vector.get("body_b64")) {
        (Some(text), _) => text.as_str().unwrap().as_bytes().to_vec(),
        (None, Some(base64)) => {
            base64::engine::general_purpose::STANDARD.decode(base64.as_str().unwrap()).unwrap()
        }
        (None, None) => panic!("a vector without a body: {vector}"),
    }
}
