use countersign_http::request::percent::{decode_path, encode_query};

#[test]
fn a_path_is_decoded_once_and_nothing_is_folded() {
    assert_eq!(decode_path(b"/user/api/%6cogin/"), "/user/api/login/");
    assert_eq!(decode_path(b"/user%2Fapi/%252F//../%0A"), "/user/api/%2F//../\n");
    assert_eq!(decode_path(b"/%/%4/%zz/caf%C3%A9"), "/%/%4/%zz/caf\u{e9}");
}

#[test]
fn bytes_that_are_no_utf8_are_escaped_again() {
    assert_eq!(decode_path(b"/a%ff%e2%82b%c3"), "/a%FF%E2%82b%C3");
}

#[test]
fn a_query_goes_back_to_the_client_as_it_came_unless_it_may_not_stand_in_a_uri() {
    assert_eq!(encode_query(b"next=/a%20b&x=1;y[]=~!*'()"), "next=/a%20b&x=1;y[]=~!*'()");
    assert_eq!(encode_query(b"\"<>^`{|}\\\xe9"), "%22%3C%3E%5E%60%7B%7C%7D%5C%C3%A9");
}
