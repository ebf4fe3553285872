//! JSON as Python reads and writes it.

use crate::vectors::{array, list, object, root, text};
use base64::{Engine, prelude::BASE64_STANDARD};
use countersign_token::json::{Int, Object, Value, parse, parse_constants, to_compact, to_response};
use proptest::prelude::*;

/// Compares with a recorded value, where numbers are `{"int": text}` or `{"float": text}`.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (_, Value::String(any)) if any == "..." => true,
        (Value::Array(items), Value::Object(tagged)) => tagged.get("list").is_some_and(|expected| {
            items.len() == array(expected).len() && items.iter().zip(array(expected)).all(|(a, b)| same(a, b))
        }),
        (Value::Object(found), Value::Object(tagged)) => tagged.get("dict").is_some_and(|expected| {
            found.len() == array(expected).len()
                && found.iter().zip(array(expected)).all(|((key, value), pair)| {
                    Value::from(key.clone()) == array(pair)[0] && same(value, &array(pair)[1])
                })
        }),
        (Value::Int(number), Value::Object(tagged)) => text(tagged, "int") == Some(&number.to_string()),
        (Value::Float(_), Value::Object(tagged)) => text(tagged, "float") == Some(&found.to_python_str()),
        _ => found == expected,
    }
}

#[test]
fn every_recorded_text_reads_as_in_python() {
    let mut checked = 0;
    for vector in list("json_parse.json").into_iter().filter(|vector| !vector.contains_key("charset")) {
        let bytes = match (text(&vector, "body"), text(&vector, "body_b64")) {
            (Some(body), _) => body.as_bytes().to_vec(),
            (None, base64) => BASE64_STANDARD.decode(base64.unwrap()).unwrap(),
        };
        // Bytes that are no UTF-8 are refused before there is a text.
        let Ok(body) = String::from_utf8(bytes) else { continue };
        let start: String = body.chars().take(60).collect();
        match (parse(&body), vector.get("value"), text(&vector, "detail")) {
            (Ok(found), Some(expected), _) => assert!(same(&found, expected), "{start}: {found:?}"),
            (Err(error), None, Some(detail)) => {
                assert_eq!(format!("JSON parse error - {error}"), detail, "{start}");
            }
            (Err(_), None, None) => assert!(vector.contains_key("exception"), "{start}"),
            (found, ..) => panic!("{start}: {found:?}"),
        }
        checked += 1;
    }
    assert_eq!(checked, 212);
}

#[test]
fn numbers_are_printed_as_python_prints_them() {
    let vectors = list("number_strings.json");
    for vector in &vectors {
        let number = parse(text(vector, "json").unwrap()).unwrap();
        assert_eq!(Some(number.to_python_str().as_str()), text(vector, "text"), "{number:?}");
    }
    assert_eq!(vectors.len(), 52);
}

#[test]
fn tokens_may_hold_the_constants_that_requests_may_not() {
    let text = "[NaN,Infinity,-Infinity]";
    assert_eq!(to_compact(&parse_constants(text).unwrap()), text);
    assert_eq!(
        parse("[-Infinity]").unwrap_err().to_string(),
        "Out of range float values are not JSON compliant: '-Infinity'"
    );
}

#[test]
fn nesting_is_read_up_to_the_limit_and_refused_beyond() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deepest = parse(&nested(945)).unwrap();
    assert_eq!(to_compact(&deepest), nested(945));
    assert!(parse(&nested(946)).is_err());
}

#[test]
fn a_repeated_key_keeps_its_place_and_takes_the_last_value_in_objects_of_any_size() {
    assert_eq!(to_compact(&parse(r#"{"a":1,"b":2,"a":3}"#).unwrap()), r#"{"a":3,"b":2}"#);
    let mut many: Object = (0..1000).map(|number| (number.to_string(), number)).collect();
    many.insert("3", "again");
    assert_eq!(many.len(), 1000);
    assert_eq!(many.iter().nth(3).unwrap().1, &Value::from("again"));
}

#[test]
fn tokens_are_written_in_ascii_and_responses_in_utf8() {
    let value = parse(
        r#"{"\u00e9\u007f\u2028":["\ud83d\ude00","\ud800x","\"\\\b\f\n\r\t\u0001/"],"n":1e16,"e":{},"l":[]}"#,
    )
    .unwrap();
    assert_eq!(
        to_compact(&value),
        r#"{"\u00e9\u007f\u2028":["\ud83d\ude00","\ud800x","\"\\\b\f\n\r\t\u0001/"],"n":1e+16,"e":{},"l":[]}"#
    );
    assert_eq!(
        to_response(&value, None),
        "{\"é\u{7f}\\u2028\":[\"😀\",\"\\ud800x\",\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\"],\"n\":1e+16,\"e\":{},\"l\":[]}"
    );
    let indented = parse(r#"{"a":[1,2],"b":{},"c":{"d":null}}"#).unwrap();
    assert_eq!(
        to_response(&indented, Some(2)),
        "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": {\n    \"d\": null\n  }\n}"
    );
}

#[test]
fn int_reads_what_python_reads() {
    let int = |text: &str| Value::from(text).to_python_int().map(|number| number.to_string());
    for (text, expected) in [
        ("1", "1"),
        (" 007 ", "7"),
        ("+1", "1"),
        ("-0", "0"),
        ("1_000", "1000"),
        ("0_1", "1"),
        ("\u{b}1", "1"),
        ("\u{85}1\u{3000}", "1"),
        ("-٣", "-3"),
        ("９223372036854775808", "9223372036854775808"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-00009223372036854775809", "-9223372036854775809"),
    ] {
        assert_eq!(int(text).as_deref(), Some(expected), "{text:?}");
    }
    for text in [
        "",
        " ",
        "+",
        "+ 1",
        "1__0",
        "_1",
        "+_1",
        "1_",
        "1.0",
        "\u{1c}1",
        "1\0",
        "²",
        "0x1",
        &"1".repeat(4301),
    ] {
        assert_eq!(int(text), None, "{text:?}");
    }
    let float = |value: f64| Value::from(value).to_python_int().map(|number| number.to_string());
    assert_eq!(float(-1.9).as_deref(), Some("-1"));
    assert_eq!(float(1e22).as_deref(), Some("10000000000000000000000"));
    assert_eq!(float(f64::NAN), None);
    assert_eq!(Value::from(true).to_python_int(), Some(Int::from(1)));
    assert_eq!(Value::Null.to_python_int(), None);
}

#[test]
fn decimal_digits_are_those_of_unicode_14() {
    let bound = |value: &Value| value.to_python_int().unwrap().to_i64().unwrap();
    let tables = root("unicode_tables.json");
    let ranges: Vec<_> = array(tables.get("int_digits").unwrap())
        .iter()
        .map(|range| bound(&array(range)[0])..=bound(&array(range)[1]))
        .collect();
    assert_eq!(ranges.len(), 62);
    for character in '\0'..=char::MAX {
        let is_digit = ranges.iter().any(|range| range.contains(&i64::from(u32::from(character))));
        let reads = Value::from(character.to_string()).to_python_int().is_some();
        assert_eq!(reads, is_digit, "{character:?}");
    }
}

#[test]
fn values_know_their_python_type_and_truth() {
    let object = Value::from(object(&parse("{}").unwrap()).clone());
    assert_eq!((object.python_type_name(), object.is_truthy()), ("dict", false));
    for (text, name, truth) in [
        ("null", "NoneType", false),
        ("true", "bool", true),
        ("0", "int", false),
        ("-0.0", "float", false),
        ("0.1", "float", true),
        ("\"\"", "str", false),
        ("\"\\ud800\"", "str", true),
        ("[0]", "list", true),
    ] {
        let value = parse(text).unwrap();
        assert_eq!((value.python_type_name(), value.is_truthy()), (name, truth), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{}":,\\ud8c0-9eE+.\-ntrufalsNIiy \n]{0,60}|.{0,60}"#) {
        if let Ok(value) = parse_constants(&text) {
            // NaN is not equal to itself, so compare what is written.
            let written = to_compact(&value);
            prop_assert_eq!(to_compact(&parse_constants(&written).unwrap()), written);
        }
    }

    #[test]
    fn any_string_survives_both_writers(text in ".*") {
        let value = Value::from(text);
        prop_assert_eq!(&parse(&to_compact(&value)).unwrap(), &value);
        prop_assert_eq!(&parse(&to_response(&value, Some(4))).unwrap(), &value);
    }

    #[test]
    fn int_of_any_text_is_read_or_refused(text in r"[ +\-_0-9٣]{0,12}|.{0,12}") {
        let _ = Value::from(text).to_python_int();
    }
}
