//! Codes that only who knows the secret can make.

use countersign_token::Mac;

const SECRET: &[u8] = b"a secret of the tests alone, long enough";

#[test]
fn a_code_is_good_for_its_parts_its_purpose_and_its_secret_alone() {
    let mac = Mac::derive(SECRET, b"one");
    let code = mac.of(&[b"ab", b"c"]);
    assert!(mac.is_of(&[b"ab", b"c"], &code));
    assert!(!mac.is_of(&[b"a", b"bc"], &code));
    assert!(!mac.is_of(&[b"abc"], &code));
    assert!(!mac.is_of(&[b"ab", b"c", b""], &code));
    assert!(!mac.is_of(&[b"ab", b"c"], &code[..31]));
    assert!(!mac.is_of(&[b"ab", b"c"], b""));
    assert!(!Mac::derive(SECRET, b"two").is_of(&[b"ab", b"c"], &code));
    assert!(!Mac::derive(b"another", b"one").is_of(&[b"ab", b"c"], &code));
}

#[test]
fn nothing_of_the_key_is_printed() {
    assert_eq!(format!("{:?}", Mac::derive(SECRET, b"one")), "Mac");
}
