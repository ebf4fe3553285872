use countersign_http::request::{
    Body, BodyError, BodyKind, Charset, Fields, MAX_BODY_BYTES, OverLimit, content_type, form, parse_body,
    parse_query,
};

use super::{body, vectors};

#[test]
fn every_recorded_content_type_chooses_the_same_parser_and_charset() {
    let vectors = vectors("content_types.json");
    for vector in &vectors {
        let header = vector["content_type"].as_str();
        let parser = content_type::body_kind(header.unwrap_or_default()).map(|kind| match kind {
            BodyKind::Json => "JSONParser",
            BodyKind::Form => "FormParser",
            BodyKind::Multipart => "MultiPartParser",
        });
        assert_eq!(parser, vector["parser"].as_str(), "{vector}");
        let label = vector["charset"].as_str().unwrap();
        assert_eq!(
            Some(content_type::charset(header.unwrap_or_default())),
            Charset::for_label(label),
            "{vector}"
        );
        if let Some(detail) = vector["detail"].as_str() {
            let refusal = parse_body(header, b"x").unwrap_err();
            assert!(matches!(refusal, BodyError::UnsupportedMediaType(_)));
            assert_eq!(refusal.to_string(), detail, "{vector}");
        }
    }
    assert_eq!(vectors.len(), 49);
}

fn pairs(fields: &Fields) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, _)| (name, fields.find_text(name).unwrap())).collect()
}

#[test]
fn every_recorded_form_has_the_same_last_values() {
    let vectors = vectors("forms.json");
    for vector in &vectors {
        for label in ["utf-8", "latin-1"] {
            let charset = Charset::for_label(label).unwrap().unwrap();
            let fields = form::parse(&body(vector), charset).unwrap();
            let recorded: Vec<(&str, &str)> = vector[label]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| {
                    (
                        field[0].as_str().unwrap(),
                        field[1].as_array().unwrap().last().unwrap().as_str().unwrap(),
                    )
                })
                .collect();
            assert_eq!(pairs(&fields), recorded, "{label}: {vector}");
        }
    }
    assert_eq!(vectors.len(), 33);
}

#[test]
fn a_form_that_is_not_sound_in_its_charset_is_read_byte_by_byte() {
    let fields = form::parse(b"a=\xe9%E9", Charset::UTF_8).unwrap();
    assert_eq!(pairs(&fields), [("a", "\u{e9}\u{fffd}")]);
}

#[test]
fn a_thousand_fields_are_read_and_one_more_is_refused_even_when_empty() {
    assert!(form::parse("a=1&".repeat(999).as_bytes(), Charset::UTF_8).is_ok());
    assert_eq!(form::parse("&".repeat(1000).as_bytes(), Charset::UTF_8), Err(OverLimit::Fields));
    assert_eq!(parse_query(None, "&".repeat(1000).as_bytes()), Err(OverLimit::Fields));
    assert!(parse_query(None, "&".repeat(999).as_bytes()).is_ok());
}

#[test]
fn the_charset_of_the_body_reads_the_query_too_and_a_useless_one_is_passed_over() {
    let latin = parse_query(Some("application/json; charset=latin-1"), b"format=%E9").unwrap();
    assert_eq!(pairs(&latin), [("format", "\u{e9}")]);
    let useless = parse_query(Some("application/json; charset=bz2"), b"format=api").unwrap();
    assert_eq!(pairs(&useless), [("format", "api")]);
}

#[test]
fn an_empty_body_has_no_fields_whatever_its_type() {
    for header in [None, Some("text/plain"), Some("application/json"), Some("multipart/form-data")] {
        assert_eq!(parse_body(header, b""), Ok(Body::Fields(Fields::default())));
    }
}

#[test]
fn bodies_that_cannot_be_read_say_why_as_the_reference_does() {
    for (header, bytes, detail) in [
        (
            "application/json",
            &b"{\"username\":\"\xff\"}"[..],
            "JSON parse error - 'utf-8' codec can't decode byte 0xff in position 13: invalid start byte",
        ),
        (
            "application/json; charset=utf-16",
            b"{}",
            "JSON parse error - UTF-16 stream does not start with BOM",
        ),
        (
            "application/json; charset=rot13",
            b"{}",
            "Unsupported charset \"rot13\" in request Content-Type header.",
        ),
        ("multipart/form-data", b"x", "Multipart form parse error - Invalid boundary in multipart: None"),
        (
            "multipart/form-data; charset=hex",
            b"x",
            "Unsupported charset \"hex\" in request Content-Type header.",
        ),
    ] {
        assert_eq!(parse_body(Some(header), bytes).unwrap_err().to_string(), detail);
    }
}

#[test]
fn json_and_forms_end_at_two_and_a_half_megabytes() {
    let body = vec![b' '; MAX_BODY_BYTES + 1];
    for header in ["application/json", "application/x-www-form-urlencoded"] {
        assert_eq!(parse_body(Some(header), &body), Err(BodyError::OverLimit(OverLimit::Bytes)));
        assert!(parse_body(Some(header), &body[1..]).is_ok());
    }
}

#[test]
fn a_password_is_not_in_the_debug_text_of_a_body() {
    let body = parse_body(Some("application/json"), br#"{"password":"secret"}"#).unwrap();
    assert_eq!(format!("{body:?}"), "Json(..)");
    let fields = form::parse(b"password=secret", Charset::UTF_8).unwrap();
    assert_eq!(format!("{fields:?}"), "Fields { fields: [(\"password\", Text(..))], has_repeats: false }");
}
