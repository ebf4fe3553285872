//! Whatever comes over the wire, no parser panics or hangs.

use countersign_http::request::accept::{Renderer, negotiate};
use countersign_http::request::host::AllowedHosts;
use countersign_http::request::{Charset, content_type, form, header_text, parse_body, percent};
use proptest::collection::vec;
use proptest::prelude::*;

/// Text made of pieces that mean something to the parsers, with anything between.
fn pieces(meaningful: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => proptest::sample::select(meaningful).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

const HEADER_PIECES: &[&str] = &[
    "application",
    "/",
    "json",
    "*",
    ";",
    ",",
    "=",
    "\"",
    "\\",
    "'",
    "%41",
    "charset",
    "*0",
    "*1*",
    "utf-16",
    " ",
    "\t",
    "boundary",
    "multipart/form-data",
    "x-www-form-urlencoded",
    "<",
    ">",
    "indent=4",
    "text/html",
    "q",
    "bogus",
];

const BODY_PIECES: &[&str] = &[
    "--BB",
    "\r\n",
    "\r\n\r\n",
    "Content-Disposition: form-data",
    "; name=a",
    "; filename=f",
    "--",
    "aGVsbG8=",
    "=",
    "&",
    "%C3%A9",
    "%",
    "+",
    "Content-Transfer-Encoding: base64",
    "\u{e9}",
    "\u{feff}",
    "\u{1f600}",
];

const LABELS: &[&str] = &[
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "ascii",
    "latin-1",
    "cp1252",
    "cp037",
    "big5",
    "shift_jis",
    "euc_jp",
    "iso2022_jp",
    "euc_kr",
    "gbk",
    "gb18030",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_header_is_answered(bytes in pieces(HEADER_PIECES)) {
        let header = header_text(&bytes);
        let _ = negotiate(Some(&header), Some(&header), &[Renderer::Json, Renderer::Api]);
        if let Ok(agreed) = negotiate(Some(&header), None, &[Renderer::Json, Renderer::Api]) {
            prop_assert!(agreed.indent.is_none_or(|indent| (1..=8).contains(&indent)));
        }
        let _ = content_type::body_kind(&header);
        let _ = content_type::charset(&header);
        let _ = Charset::for_label(&header);
        let _ = AllowedHosts::parse(&header, true).permits(&bytes);
    }

    #[test]
    fn any_body_is_answered(
        body in pieces(BODY_PIECES),
        kind in proptest::sample::select(&["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=BB"][..]),
        label in proptest::sample::select(LABELS),
    ) {
        let _ = parse_body(Some(&format!("{kind}; charset={label}")), &body);
    }

    #[test]
    fn what_decodes_strictly_decodes_alike_in_every_way(
        bytes in pieces(BODY_PIECES),
        label in proptest::sample::select(LABELS),
    ) {
        let charset = Charset::for_label(label).unwrap().unwrap();
        let replaced = charset.decode_replacing(&bytes);
        if let Some(text) = charset.decode_strict(&bytes) {
            prop_assert_eq!(&text, &replaced);
            if let Ok(streamed) = charset.decode_stream(&bytes) {
                prop_assert_eq!(&text, &streamed);
            }
        }
    }

    #[test]
    fn a_form_gives_back_what_was_percent_encoded(value in ".*") {
        let escaped = percent_encoding::percent_encode(value.as_bytes(), percent_encoding::NON_ALPHANUMERIC);
        let fields = form::parse(format!("a={escaped}").as_bytes(), Charset::UTF_8).unwrap();
        prop_assert_eq!(fields.find_text("a"), Some(value.as_str()));
    }

    #[test]
    fn any_path_is_decoded(path in vec(any::<u8>(), 0..64)) {
        let _ = percent::decode_path(&path);
        prop_assert!(percent::encode_query(&path).is_ascii());
    }
}

/// Two and a half megabytes that make a quadratic parser stand out by minutes.
#[test]
fn large_hostile_bodies_are_read_in_linear_time() {
    let fill = |piece: &str| piece.repeat(2_600_000 / piece.len()).into_bytes();
    for (header, piece) in [
        ("multipart/form-data; boundary=BB", "--BB"),
        ("multipart/form-data; boundary=BB", "--B"),
        ("multipart/form-data; boundary=BB", "\r\n--BB\r\nContent-Disposition: x; filename=f\r\n\r\n"),
        ("multipart/form-data; boundary=--------------------------------x", "-"),
        ("application/x-www-form-urlencoded; charset=cp1251", "%"),
        ("application/x-www-form-urlencoded; charset=cp1251", "\u{e9}%41"),
        ("application/x-www-form-urlencoded", "a%ff"),
        ("application/x-www-form-urlencoded", "a="),
        ("application/json; charset=utf-16", "\u{e9}\u{ff}"),
    ] {
        let _ = parse_body(Some(header), &fill(piece));
    }
}
