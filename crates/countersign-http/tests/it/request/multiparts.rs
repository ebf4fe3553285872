use countersign_http::request::{Body, BodyError, FieldValue, OverLimit, parse_body};

const HEADER: &str = "multipart/form-data; boundary=BB";

/// The fields of a body, `<file>` for files, or the error.
fn read_as(header: &str, body: &[u8]) -> Result<Vec<(String, String)>, BodyError> {
    match parse_body(Some(header), body)? {
        Body::Fields(fields) => Ok(fields
            .iter()
            .map(|(name, value)| match value {
                FieldValue::Text(text) => (name.to_owned(), text.to_string()),
                FieldValue::File => (name.to_owned(), "<file>".to_owned()),
            })
            .collect()),
        Body::Json(_) => panic!("multipart was taken for JSON"),
    }
}

fn read(body: impl AsRef<[u8]>) -> Result<Vec<(String, String)>, BodyError> {
    read_as(HEADER, body.as_ref())
}

fn fields<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn part(headers: &str, content: &str) -> String {
    format!("--BB\r\nContent-Disposition: form-data; {headers}\r\n\r\n{content}\r\n")
}

fn detail(header: &str, body: &str) -> String {
    read_as(header, body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn text_fields_keep_their_last_value() {
    let body = part("name=\"a\"", "1") + &part("name=b", "x\r\ny") + &part("name=\"a\"", "2") + "--BB--\r\n";
    assert_eq!(read(body), Ok(fields([("a", "2"), ("b", "x\r\ny")])));
}

#[test]
fn a_file_hides_text_of_the_same_name() {
    let file = part("name=\"a\"; filename=\"C:\\\\x\\\\y.txt\"", "content");
    assert_eq!(read(file + &part("name=a", "text") + "--BB--"), Ok(fields([("a", "<file>")])));
}

#[test]
fn a_file_counts_only_when_something_follows_it() {
    let file = part("name=\"a\"; filename=f", "content");
    assert_eq!(read(&file), Ok(fields([])));
    assert_eq!(read(file.clone() + "--BB"), Ok(fields([])));
    assert_eq!(read(file + "--BB--"), Ok(fields([("a", "<file>")])));
}

#[test]
fn a_file_without_a_usable_name_is_no_field_and_without_any_name_it_is_text() {
    for name in [".", "..", "/", "a/", "\\", "\u{7f}"] {
        assert_eq!(
            read(part(&format!("name=a; filename=\"{name}\""), "x") + "--BB--"),
            Ok(fields([])),
            "{name}"
        );
    }
    assert_eq!(read(part("name=a; filename=", "x") + "--BB--"), Ok(fields([("a", "x")])));
}

#[test]
fn a_body_without_its_last_boundary_is_read_to_its_end() {
    assert_eq!(read(part("name=a", "1").trim_end()), Ok(fields([("a", "1")])));
    assert_eq!(read(part("name=a", "1")), Ok(fields([("a", "1\r\n")])));
}

#[test]
fn a_foreign_boundary_makes_one_field_of_all_the_rest() {
    let body = part("name=a", "1") + &part("name=b", "2") + "--BB--\r\n";
    let rest = body.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(read_as("multipart/form-data; boundary=CC", body.as_bytes()), Ok(fields([("a", rest)])));
}

#[test]
fn lines_that_end_without_carriage_return_hold_no_headers() {
    assert_eq!(read(part("name=a", "1").replace("\r\n", "\n") + "--BB--\n"), Ok(fields([])));
}

#[test]
fn a_boundary_counts_wherever_it_stands() {
    assert_eq!(read(part("name=a", "1--BB2") + "--BB--"), Ok(fields([("a", "1")])));
    assert_eq!(read(part("name=a", "1\n--BB") + "--BB--"), Ok(fields([("a", "1")])));
}

#[test]
fn headers_are_read_leniently_and_the_last_of_equal_ones_counts() {
    let body = |headers: &str| format!("--BB\r\n{headers}\r\n\r\nx\r\n--BB--");
    let name = |name| Ok(fields([(name, "x")]));
    assert_eq!(read(body("CONTENT-DISPOSITION: anything; NAME=\" a \"")), name("a"));
    assert_eq!(
        read(body("Content-Disposition: form-data; name=a\r\nContent-Disposition: x; name=b")),
        name("b")
    );
    assert_eq!(read(body("broken\r\nContent-Disposition: form-data; name*=utf-8''%C3%A9")), name("\u{e9}"));
    assert_eq!(read(body("Content-Disposition: form-data; name=a; x*=bogus''y")), Ok(fields([])));
    assert_eq!(read(body("Content-Disposition : form-data; name=a")), Ok(fields([])));
    assert_eq!(read(body("Content-Disposition: form-data; name=")), name(""));
}

#[test]
fn base64_text_is_decoded_and_kept_as_it_is_when_it_is_none() {
    let body = |text: &str| {
        format!(
            "--BB\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: BASE64 \r\n\r\n{text}\r\n--BB--"
        )
    };
    assert_eq!(read(body("aGVs\r\nbG8=")), Ok(fields([("a", "hello")])));
    assert_eq!(read(body("aGVs!bG8=ignored")), Ok(fields([("a", "hello")])));
    assert_eq!(read(body("aGVsb")), Ok(fields([("a", "aGVsb")])));
}

#[test]
fn a_file_in_broken_base64_is_refused() {
    let body = |content: &str| {
        let headers =
            "Content-Disposition: form-data; name=a; filename=f\r\nContent-Transfer-Encoding: base64";
        format!("--BB\r\n{headers}\r\n\r\n{content}\r\n--BB--")
    };
    assert_eq!(read(body("aGVs\r\nbG8=")), Ok(fields([("a", "<file>")])));
    for content in ["aGVsb", "aGV=a", "=AAA"] {
        assert_eq!(
            detail(HEADER, &body(content)),
            "Multipart form parse error - Could not decode base64 data."
        );
    }
}

#[test]
fn text_is_read_in_the_charset_of_the_body() {
    let body = b"--BB\r\nContent-Disposition: form-data; name=\"\xc3\xa9\"\r\n\r\n\xe9\r\n--BB--";
    assert_eq!(read(body), Ok(fields([("\u{e9}", "\u{fffd}")])));
    let latin = read_as("multipart/form-data; boundary=BB; charset=latin-1", body);
    assert_eq!(latin, Ok(fields([("\u{c3}\u{a9}", "\u{e9}")])));
}

#[test]
fn boundaries_that_no_body_can_have_are_refused_in_the_words_of_the_reference() {
    let words = |header: &str| detail(header, "x").replace("Multipart form parse error - ", "");
    let long = "b".repeat(202);
    assert_eq!(words("multipart/form-data"), "Invalid boundary in multipart: None");
    assert_eq!(words("multipart/form-data; boundary="), "Invalid boundary in multipart: ");
    assert_eq!(words("multipart/form-data; boundary=\"a \""), "Invalid boundary in multipart: a ");
    assert_eq!(
        words(&format!("multipart/form-data; boundary={long}")),
        format!("Invalid boundary in multipart: {long}")
    );
    assert_eq!(
        words("Multipart/form-data; boundary=a"),
        "Invalid Content-Type: Multipart/form-data; boundary=a"
    );
    assert_eq!(
        words("multipart/form-data; boundary=\u{e9}"),
        "Invalid non-ASCII Content-Type in multipart: multipart/form-data; boundary=\u{e9}"
    );
}

#[test]
fn a_part_that_does_not_end_its_headers_within_a_kilobyte_is_refused() {
    let message = "Multipart form parse error - Request max total header size exceeded.";
    assert_eq!(detail(HEADER, &("x".repeat(1024) + "--BB--")), message);
    assert_eq!(read("x".repeat(1023) + "--BB--"), Ok(fields([])));
    let headers = format!("name=a; x={}", "y".repeat(1024));
    assert_eq!(detail(HEADER, &part(&headers, "1")), message);
}

#[test]
fn fields_files_and_bytes_are_limited() {
    let times =
        |count: usize, headers: &str, content: &str| part(headers, content).repeat(count) + "--BB--\r\n";
    assert!(read(times(1000, "name=a", "1")).is_ok());
    assert_eq!(read(times(1001, "name=a", "1")), Err(OverLimit::Fields.into()));
    assert!(read(times(100, "name=a; filename=f", "1")).is_ok());
    assert_eq!(read(times(101, "name=a; filename=f", "1")), Err(OverLimit::Files.into()));
    assert!(read(times(1, "name=a", &"x".repeat(2_621_440 - 3))).is_ok());
    assert_eq!(read(times(1, "name=a", &"x".repeat(2_621_440 - 2))), Err(OverLimit::Bytes.into()));
    assert!(read(times(1, "name=a; filename=f", &"x".repeat(3_000_000))).is_ok());
}
