use countersign_http::request::{Charset, UnsupportedCharset, content_type};
use serde_json::Value;

use super::{body, vectors};

fn charset(label: &str) -> Charset {
    Charset::for_label(label).unwrap().unwrap()
}

/// A vector's `value` as plain JSON.
fn plain(value: &Value) -> Value {
    match value.get("dict").and_then(Value::as_array) {
        Some(pairs) => {
            pairs.iter().map(|pair| (pair[0].as_str().unwrap().to_owned(), plain(&pair[1]))).collect()
        }
        None => value.get("int").map_or_else(|| value.clone(), |int| int.as_str().unwrap().parse().unwrap()),
    }
}

#[test]
fn every_recorded_json_body_becomes_text_or_the_error_of_its_codec() {
    let vectors = vectors("json_parse.json");
    let (mut texts, mut faults, mut refusals) = (0, 0, 0);
    for vector in &vectors {
        let detail = vector["detail"].as_str().unwrap_or_default();
        let label = vector["charset"].as_str().unwrap_or("utf-8");
        let Some(Ok(charset)) = Charset::for_label(label) else {
            let refusal = UnsupportedCharset { label: label.to_owned() };
            assert_eq!(refusal.to_string(), detail, "{vector}");
            refusals += 1;
            continue;
        };
        let is_fault =
            detail.contains(" codec can't decode ") || detail.contains(" stream does not start with BOM");
        match charset.decode_stream(&body(vector)) {
            Err(error) => {
                assert_eq!(format!("JSON parse error - {error}"), detail, "{vector}");
                faults += 1;
            }
            Ok(text) => {
                assert!(!is_fault, "{vector} was decoded to {text:?}");
                if vector.get("charset").is_some() && vector.get("value").is_some() {
                    assert_eq!(
                        serde_json::from_str::<Value>(&text).unwrap(),
                        plain(&vector["value"]),
                        "{vector}"
                    );
                }
                texts += 1;
            }
        }
    }
    assert_eq!((texts, faults, refusals), (243, 27, 7));
}

#[test]
fn names_are_found_as_python_finds_them() {
    for (label, name) in [
        ("UTF 8", "utf_8"),
        (" utf--8_", "utf_8"),
        ("U8", "utf_8"),
        ("utf8\u{e9}", "utf_8"),
        ("utf-8-SIG", "utf_8_sig"),
        ("ANSI_X3.4-1968", "ascii"),
        ("iso_646.irv_1991", "ascii"),
        ("ISO-8859-1", "latin_1"),
        ("Windows-1252", "cp1252"),
        ("big5-tw", "big5"),
        ("KOI8-R", "koi8_r"),
        ("latin_1", "latin_1"),
    ] {
        assert_eq!(charset(label), charset(name), "{label}");
    }
    assert_ne!(charset("utf_8"), charset("utf_8_sig"));
    for label in
        ["", "-", "utf.8", "latin.1", "cp-1252", "UTF8-SIG", "mbcs", "csHPRoman8", "\u{dc}TF-8", "aliases"]
    {
        assert_eq!(Charset::for_label(label), None, "{label}");
    }
    for label in ["bz2", "ROT-13", "quopri", "uu", "undefined", "utf-7", "punycode", "hz"] {
        let refusal = Charset::for_label(label).unwrap().unwrap_err();
        assert_eq!(
            refusal.to_string(),
            format!("Unsupported charset \"{label}\" in request Content-Type header.")
        );
    }
}

#[test]
fn unicode_faults_are_told_in_pythons_words() {
    for (label, bytes, message) in [
        (
            "utf-8-sig",
            &b"\xef\xbb\xbfa\xff"[..],
            "'utf-8' codec can't decode byte 0xff in position 1: invalid start byte",
        ),
        (
            "utf-16",
            b"\xff\xfe\x00\xd8a\x00",
            "'utf-16-le' codec can't decode bytes in position 2-3: illegal UTF-16 surrogate",
        ),
        (
            "utf-16",
            b"\xfe\xff\xdc\x00\x00a",
            "'utf-16-be' codec can't decode bytes in position 2-3: illegal encoding",
        ),
        ("utf-32", b"a\0\0\0", "UTF-32 stream does not start with BOM"),
        (
            "utf-32-le",
            b"a\0\0\0\0\0\x11\0",
            "'utf-32-le' codec can't decode bytes in position 4-7: code point not in range(0x110000)",
        ),
        (
            "utf-32-be",
            b"\0\0\xd8\0",
            "'utf-32-be' codec can't decode bytes in position 0-3: code point in surrogate code point range(0xd800, 0xe000)",
        ),
        (
            "shift_jis",
            b"a\x82",
            "'shift_jis' codec can't decode byte 0x82 in position 1: incomplete multibyte sequence",
        ),
        (
            "gb18030",
            b"a\x81\x30\x81",
            "'gb18030' codec can't decode bytes in position 1-3: incomplete multibyte sequence",
        ),
        (
            "euc_jp",
            b"\xa4 ",
            "'euc_jp' codec can't decode byte 0xa4 in position 0: illegal multibyte sequence",
        ),
    ] {
        assert_eq!(charset(label).decode_stream(bytes).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_character_cut_off_by_the_end_is_dropped_from_a_stream_and_replaced_in_a_form() {
    for (label, bytes) in [
        ("utf-8", &b"a\xf0\x9f\x98"[..]),
        ("utf-16-le", b"a\0\x3d\xd8"),
        ("utf-16-be", b"\0a\xd8"),
        ("utf-32-le", b"a\0\0\0b\0"),
    ] {
        assert_eq!(charset(label).decode_stream(bytes).unwrap(), "a", "{label}");
        assert_eq!(charset(label).decode_replacing(bytes), "a\u{fffd}", "{label}");
        assert_eq!(charset(label).decode_strict(bytes), None, "{label}");
    }
}

#[test]
fn utf_16_without_a_mark_is_little_endian_outside_streams() {
    assert_eq!(charset("utf-16").decode_replacing(b"a\0"), "a");
    assert_eq!(charset("utf-16").decode_replacing(b"\xfe\xff\0a"), "a");
    assert_eq!(charset("utf-32").decode_strict(b"a\0\0\0").as_deref(), Some("a"));
}

#[test]
fn a_content_type_names_the_charset() {
    assert_eq!(content_type::charset("application/json; charset=bogus-9"), Ok(Charset::UTF_8));
    assert_eq!(
        content_type::charset("application/json; a*=bogus'en'x; charset=latin-1"),
        Ok(charset("latin-1"))
    );
    assert_eq!(content_type::charset("application/json; charset*=bogus''latin-1"), Ok(Charset::UTF_8));
    let refusal = content_type::charset("application/json; charset=\"bz2\"").unwrap_err();
    assert_eq!(refusal.label, "bz2");
}
