//! Bodies of requests by their `Content-Type`, in the first line, and query strings: no more fields are read than are
//! allowed, and what is read is text.
#![no_main]

use countersign_fuzz::split_at;
use countersign_http::request::{Body, Fields, MAX_FIELDS, MAX_FILES, header_text, parse_body, parse_query};
use countersign_token::json;
use libfuzzer_sys::fuzz_target;

fn look(fields: &Fields, most: usize) {
    assert!(fields.iter().count() <= most);
    for (name, _) in fields.iter() {
        assert!(fields.find(name).is_some());
        let _ = fields.find_text(name);
    }
    let _ = fields.has_repeats();
}

fuzz_target!(|data: &[u8]| {
    let (content_type, body) = split_at(data, b'\n');
    let content_type = header_text(content_type);
    match parse_body(Some(&content_type), body) {
        Ok(Body::Json(text)) => drop(json::parse(&text)),
        Ok(Body::Fields(fields)) => look(&fields, MAX_FIELDS + MAX_FILES),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(fields) = parse_query(Some(&content_type), body) {
        look(&fields, MAX_FIELDS);
    }
});
