//! The ids of a session's refresh tokens.

use countersign_token::{generation_of, refresh_jti, session_of};
use proptest::prelude::*;

const SESSION: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "1123456789abcdef0123456789abcdef";

fn is_random_uuid(text: &str) -> bool {
    let uuid = text.as_bytes();
    text.len() == 32
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && uuid[12] == b'4'
        && b"89ab".contains(&uuid[16])
}

#[test]
fn ids_look_like_those_of_simple_jwt() {
    for generation in [0, 1, 2, u32::MAX] {
        assert!(is_random_uuid(&refresh_jti(SESSION, generation)));
    }
    assert!(is_random_uuid(&session_of(&refresh_jti(SESSION, 0))));
}

#[test]
fn each_generation_and_each_session_has_ids_of_its_own() {
    let ids =
        [refresh_jti(SESSION, 0), refresh_jti(SESSION, 1), refresh_jti(OTHER, 0), refresh_jti(OTHER, 1)];
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[index + 1..].contains(id));
    }
    assert_ne!(session_of(&ids[0]), session_of(&ids[1]));
}

proptest! {
    #[test]
    fn the_generation_is_read_from_an_id_and_from_no_other(generation: u32, bit in 0_u32..128) {
        let id = refresh_jti(SESSION, generation);
        prop_assert_eq!(generation_of(SESSION, &id), Some(generation));
        prop_assert_eq!(generation_of(OTHER, &id), None);
        let damaged = u128::from_str_radix(&id, 16).unwrap() ^ (1 << bit);
        prop_assert_eq!(generation_of(SESSION, &format!("{damaged:032x}")), None);
    }

    #[test]
    fn any_text_may_be_asked_for_its_generation(text in ".{0,40}") {
        let _ = generation_of(SESSION, &text);
    }
}
