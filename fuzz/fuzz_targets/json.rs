//! JSON, as texts and as bytes of any encoding: what is read is written, and that is read as the same.
#![no_main]

use countersign_token::json::{Value, parse, parse_bytes, parse_constants, to_compact, to_response};
use libfuzzer_sys::fuzz_target;

fn is_stable(value: &Value) {
    let written = to_compact(value);
    let again = parse_constants(&written).expect("what is written is JSON");
    assert_eq!(to_compact(&again), written);
    let _ = (value.is_truthy(), value.to_python_str(), value.to_python_int(), value.python_type_name());
    for indent in [None, Some(1), Some(8)] {
        let answer = to_response(value, indent);
        assert!(parse(&answer).is_ok(), "an answer is JSON: {answer}");
    }
}

fuzz_target!(|data: &[u8]| {
    parse_bytes(data).iter().for_each(is_stable);
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text) {
        Ok(value) => is_stable(&value),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    parse_constants(text).iter().for_each(is_stable);
});
