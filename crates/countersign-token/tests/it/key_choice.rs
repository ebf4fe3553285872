//! Which of several keys a token is tried with.

use crate::vectors::{pem, recorded_at};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign_token::{Algorithm, KeyError, Keys, Refusal, Settings, Tokens, Verifier, VerifyingKey};

fn named(algorithm: Algorithm, key: &str) -> Tokens {
    Tokens::new(Settings::default(), Keys::named(algorithm, pem(key).as_bytes()).unwrap())
}

fn unnamed(algorithm: Algorithm, key: &str) -> Tokens {
    Tokens::new(Settings::default(), Keys::new(algorithm, pem(key).as_bytes(), b"").unwrap())
}

fn public(algorithm: Algorithm, key: &str) -> VerifyingKey {
    VerifyingKey::new(algorithm, pem(&format!("{key}.pub")).as_bytes()).unwrap()
}

fn token_of(tokens: &Tokens) -> String {
    tokens.encode(&tokens.refresh_for("7", None, "x", recorded_at()))
}

fn header_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

fn verifier(keys: impl IntoIterator<Item = VerifyingKey>) -> Verifier {
    Verifier::new(Settings::default(), keys.into_iter().collect())
}

fn is_good(verifier: &Verifier, token: &str) -> bool {
    match verifier.decode(token, recorded_at()) {
        Ok(_) => true,
        Err(refusal) => {
            assert_eq!(refusal, Refusal::Invalid);
            false
        }
    }
}

/// The token with another header, which makes its signature wrong.
fn under_header(token: &str, header: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header))
}

#[test]
fn a_named_pair_writes_its_name_and_an_unnamed_one_none() {
    let kid = public(Algorithm::ES256, "p256").named().kid().unwrap().to_owned();
    assert_eq!(kid.len(), 43);
    assert_eq!(
        header_of(&token_of(&named(Algorithm::ES256, "p256"))),
        format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT"}}"#)
    );
    assert_eq!(header_of(&token_of(&unnamed(Algorithm::ES256, "p256"))), r#"{"alg":"ES256","typ":"JWT"}"#);
}

#[test]
fn a_secret_has_no_name() {
    assert_eq!(VerifyingKey::new(Algorithm::HS256, b"secret").unwrap().named().kid(), None);
    assert_eq!(Keys::named(Algorithm::HS256, b"secret").unwrap_err(), KeyError::NoKeyPair("HS256"));
}

#[test]
fn an_exchanged_key_still_verifies_what_it_signed() {
    let old = token_of(&named(Algorithm::RS256, "rsa2048"));
    let older =
        token_of(&Tokens::new(Settings::default(), Keys::new(Algorithm::HS256, b"secret", b"").unwrap()));
    let keys = Keys::named(Algorithm::EdDSA, pem("ed25519").as_bytes())
        .unwrap()
        .also_verifying(public(Algorithm::RS256, "rsa2048").named())
        .also_verifying(VerifyingKey::new(Algorithm::HS256, b"secret").unwrap());
    let tokens = Tokens::new(Settings::default(), keys);
    let new = token_of(&tokens);
    for token in [&old, &older, &new] {
        tokens.decode(token, recorded_at()).unwrap();
    }
    let only_new = named(Algorithm::EdDSA, "ed25519");
    only_new.decode(&new, recorded_at()).unwrap();
    for token in [&old, &older] {
        assert_eq!(only_new.decode(token, recorded_at()), Err(Refusal::Invalid));
    }
}

#[test]
fn a_token_without_kid_is_tried_with_every_key_of_its_algorithm() {
    let token = token_of(&unnamed(Algorithm::RS256, "rsa2048b"));
    let [first, second] = ["rsa2048", "rsa2048b"].map(|key| public(Algorithm::RS256, key).named());
    let both = verifier([first, second]);
    assert!(both.has_key_for(&token) && is_good(&both, &token));
    let other = verifier([public(Algorithm::RS256, "rsa2048").named()]);
    assert!(other.has_key_for(&token) && !is_good(&other, &token));
}

#[test]
fn a_token_with_kid_is_tried_with_that_key_and_the_unnamed_ones() {
    let token = token_of(&named(Algorithm::RS256, "rsa2048"));
    assert!(is_good(&verifier([public(Algorithm::RS256, "rsa2048").named()]), &token));
    assert!(is_good(&verifier(["rsa2048b", "rsa2048"].map(|key| public(Algorithm::RS256, key))), &token));
    let other = verifier([public(Algorithm::RS256, "rsa2048b").named()]);
    assert!(!other.has_key_for(&token) && !is_good(&other, &token));
}

#[test]
fn a_key_verifies_only_its_own_algorithm() {
    for algorithm in [Algorithm::RS256, Algorithm::RS512] {
        let token = token_of(&unnamed(algorithm, "rsa2048"));
        for of_key in [Algorithm::RS256, Algorithm::RS512, Algorithm::PS256] {
            let verifier = verifier([public(of_key, "rsa2048")]);
            assert_eq!(is_good(&verifier, &token), algorithm == of_key);
            assert_eq!(verifier.has_key_for(&token), algorithm == of_key);
        }
    }
}

#[test]
fn a_header_cannot_have_a_public_key_taken_for_a_secret() {
    // Anyone may know the public key, and sign with it as if it were a secret.
    let der: String = pem("rsa2048.pub").lines().filter(|line| !line.starts_with('-')).collect();
    let keys = Keys::new(Algorithm::HS256, der.as_bytes(), b"").unwrap();
    let token = token_of(&Tokens::new(Settings::default(), keys));
    let verifier = verifier([public(Algorithm::RS256, "rsa2048").named(), public(Algorithm::ES256, "p256")]);
    assert!(!verifier.has_key_for(&token) && !is_good(&verifier, &token));
}

#[test]
fn a_header_that_is_not_understood_has_no_key() {
    let key = public(Algorithm::RS256, "rsa2048").named();
    let kid = key.kid().unwrap().to_owned();
    let verifier = verifier([key]);
    let token = token_of(&named(Algorithm::RS256, "rsa2048"));
    for (header, has_key) in [
        (format!(r#"{{"kid":"{kid}","alg":"RS256"}}"#), true),
        (r#"{"alg":"RS256"}"#.to_owned(), true),
        (r#"{"alg":"RS256","kid":"\ud800"}"#.to_owned(), false),
        (r#"{"alg":"RS256","kid":7}"#.to_owned(), false),
        (r#"{"alg":"none"}"#.to_owned(), false),
        (format!(r#"{{"kid":"{kid}"}}"#), false),
        (format!(r#"{{"alg":"RS256","kid":"{kid}","crit":["exp"]}}"#), false),
        ("[]".to_owned(), false),
    ] {
        let token = under_header(&token, &header);
        assert_eq!(verifier.has_key_for(&token), has_key, "{header}");
        assert!(!is_good(&verifier, &token), "{header}");
    }
    assert!(!verifier.has_key_for("no token"));
}

#[test]
fn without_keys_nothing_is_good() {
    assert!(!is_good(&verifier([]), &token_of(&named(Algorithm::EdDSA, "ed25519"))));
}
