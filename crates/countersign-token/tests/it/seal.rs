//! What is sealed opens only unchanged, with the same secret and for the same purpose.

use base64::{Engine, prelude::BASE64_STANDARD};
use countersign_token::Seal;
use proptest::prelude::*;

#[test]
fn a_sealed_text_opens_with_the_same_secret() {
    for plain in [&b""[..], b"a private key", &[0xff; 5000]] {
        let sealed = Seal::derive(b"secret").seal(plain, b"kid 1");
        assert_eq!(sealed.len(), 12 + plain.len() + 16);
        assert!(plain.is_empty() || !sealed.windows(plain.len()).any(|part| part == plain));
        assert_eq!(Seal::derive(b"secret").open(&sealed, b"kid 1").unwrap().as_slice(), plain);
    }
}

/// `one key!` sealed with `secret` for `kid 1`, by Python's `hmac` and `cryptography` with the nonce 0 to 11.
const SEALED: &str = "AAECAwQFBgcICQoL566Roea8+ObNFrBnfd8IWNbd8vXAs9aS";

#[test]
fn a_text_sealed_by_others_in_the_same_way_opens() {
    let sealed = BASE64_STANDARD.decode(SEALED).unwrap();
    assert_eq!(Seal::derive(b"secret").open(&sealed, b"kid 1").unwrap().as_slice(), b"one key!");
}

#[test]
fn neither_another_secret_nor_another_purpose_opens_it() {
    let sealed = Seal::derive(b"secret").seal(b"a private key", b"kid 1");
    assert!(Seal::derive(b"Secret").open(&sealed, b"kid 1").is_none());
    assert!(Seal::derive(b"secret").open(&sealed, b"kid 2").is_none());
    assert!(Seal::derive(b"secret").open(&sealed, b"").is_none());
}

#[test]
fn the_same_text_is_never_sealed_the_same() {
    let seal = Seal::derive(b"secret");
    assert_ne!(seal.seal(b"a private key", b""), seal.seal(b"a private key", b""));
}

#[test]
fn a_shortened_text_does_not_open() {
    let seal = Seal::derive(b"secret");
    let sealed = seal.seal(b"a private key", b"");
    for length in 0..sealed.len() {
        assert!(seal.open(&sealed[..length], b"").is_none(), "{length}");
        assert!(seal.open(&sealed[sealed.len() - length..], b"").is_none(), "{length}");
    }
}

#[test]
fn a_seal_does_not_show_its_key() {
    assert_eq!(format!("{:?}", Seal::derive(b"secret")), "Seal");
}

proptest! {
    #[test]
    fn no_flipped_bit_goes_unnoticed(plain in prop::collection::vec(any::<u8>(), 0..40), bit in 0_usize..544) {
        let seal = Seal::derive(b"secret");
        let mut sealed = seal.seal(&plain, b"");
        let bit = bit % (sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(seal.open(&sealed, b"").is_none());
    }
}
