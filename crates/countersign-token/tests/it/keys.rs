//! Which keys are taken, and what is said of the others.

use crate::vectors::{pem, recorded_at};
use base64::{Engine, prelude::BASE64_STANDARD};
use countersign_token::{Algorithm, KeyError, Keys, Settings, SigningKey, Tokens, Verifier, VerifyingKey};
use proptest::prelude::*;

fn refused(algorithm: Algorithm, signing: &str, verifying: &str) -> KeyError {
    Keys::new(algorithm, signing.as_bytes(), verifying.as_bytes()).unwrap_err()
}

/// Wraps the DER found at an offset in a recorded PKCS#8 key: the traditional form of the key.
fn traditional(name: &str, label: &str, offset: usize) -> String {
    let pkcs8: String = pem(name).lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(pkcs8).unwrap();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(&der[offset..]))
}

#[test]
fn names_are_exact() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
    }
    for name in ["none", "hs256", "HS256 ", "", "Ed25519"] {
        assert_eq!(Algorithm::from_name(name), None);
    }
}

#[test]
fn a_secret_may_have_any_length_but_none() {
    for length in [1, 15, 64, 65, 1000] {
        Keys::new(Algorithm::HS512, &vec![0; length], b"ignored").unwrap();
    }
    assert_eq!(refused(Algorithm::HS256, "", ""), KeyError::EmptySecret);
    assert_eq!(refused(Algorithm::HS256, &pem("rsa2048.pub"), ""), KeyError::PemAsSecret("HS256"));
}

#[test]
fn private_keys_may_be_pkcs8_pkcs1_or_sec1_and_give_their_public_key() {
    // The inner key starts after the wrapping of known length.
    let rsa = traditional("rsa2048", "RSA PRIVATE KEY", 26);
    let ec = traditional("p256", "EC PRIVATE KEY", 29);
    let with_parameters =
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{ec}");
    for (algorithm, key, public) in [
        (Algorithm::RS256, &rsa, "rsa2048.pub"),
        (Algorithm::PS512, &rsa, "rsa2048.pub"),
        (Algorithm::ES256, &ec, "p256.pub"),
        (Algorithm::ES256, &with_parameters, "p256.pub"),
        (Algorithm::ES521, &pem("p521"), "p521.pub"),
        (Algorithm::EdDSA, &pem("ed25519"), "ed25519.pub"),
    ] {
        Keys::new(algorithm, key.as_bytes(), pem(public).as_bytes()).expect(key);
        Keys::new(algorithm, key.as_bytes(), b"").expect(key);
        let [private, public] =
            [key, &pem(public)].map(|key| VerifyingKey::new(algorithm, key.as_bytes()).unwrap().named());
        assert_eq!(private.kid(), public.kid());
    }
}

#[test]
fn a_public_key_alone_verifies() {
    let pkcs1 = traditional("rsa2048.pub", "RSA PUBLIC KEY", 24);
    let keys = Keys::new(Algorithm::RS256, pem("rsa2048").as_bytes(), pkcs1.as_bytes()).unwrap();
    let tokens = Tokens::new(Settings::default(), keys);
    let token = tokens.encode(&tokens.refresh_for("1", None, "x", recorded_at()));
    let public = VerifyingKey::new(Algorithm::RS256, pem("rsa2048.pub").as_bytes()).unwrap();
    let pkcs1 = VerifyingKey::new(Algorithm::RS256, pkcs1.as_bytes()).unwrap().named();
    let public = public.named();
    assert_eq!(pkcs1.kid(), public.kid());
    for key in [pkcs1, public] {
        Verifier::new(Settings::default(), vec![key]).decode(&token, recorded_at()).unwrap();
    }
}

#[test]
fn what_is_wrong_with_a_key_is_named() {
    let rsa = pem("rsa2048");
    assert_eq!(refused(Algorithm::RS256, "secret", ""), KeyError::NotPem);
    assert_eq!(refused(Algorithm::RS256, &rsa.replace("END", "FIN"), ""), KeyError::NotPem);
    assert_eq!(refused(Algorithm::RS256, &rsa.replace("MII", "M!I"), ""), KeyError::NotPem);
    assert_eq!(refused(Algorithm::RS256, &pem("rsa2048.pub"), ""), KeyError::PublicForSigning);
    assert_eq!(refused(Algorithm::RS256, &rsa, &pem("rsa2048b.pub")), KeyError::NotAPair);
    assert_eq!(refused(Algorithm::EdDSA, &pem("ed448"), ""), KeyError::Ed448);
    assert_eq!(refused(Algorithm::EdDSA, &pem("ed25519"), &pem("ed448.pub")), KeyError::Ed448);
    assert_eq!(
        refused(Algorithm::RS256, &rsa.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "").to_string(),
        "the key is PEM of a kind that is not supported: ENCRYPTED PRIVATE KEY"
    );
    for (algorithm, key) in [
        (Algorithm::RS256, "p256"),
        (Algorithm::ES256, "p384"),
        (Algorithm::ES256, "k256"),
        (Algorithm::ES256K, "p256"),
        (Algorithm::ES384, "ed25519"),
        (Algorithm::EdDSA, "rsa2048"),
    ] {
        for key in [pem(key), pem(&format!("{key}.pub"))] {
            let error = VerifyingKey::new(algorithm, key.as_bytes()).unwrap_err();
            assert!(matches!(error, KeyError::Unfit { .. }), "{algorithm:?}: {error}");
        }
    }
}

#[test]
fn a_generated_key_signs_and_no_two_are_the_same() {
    for algorithm in
        [Algorithm::PS256, Algorithm::ES256, Algorithm::ES521, Algorithm::ES256K, Algorithm::EdDSA]
    {
        let pem = SigningKey::generate_pem(algorithm).unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(pem.ends_with("\n-----END PRIVATE KEY-----\n"));
        assert!(pem.lines().all(|line| line.len() <= 64));
        Keys::new(algorithm, pem.as_bytes(), b"").unwrap();
        assert_ne!(pem, SigningKey::generate_pem(algorithm).unwrap());
    }
    let error = SigningKey::generate_pem(Algorithm::HS256).unwrap_err();
    assert_eq!(error.to_string(), "HS256 needs a secret, not a key pair");
}

#[test]
fn keys_do_not_show_themselves() {
    let keys = Keys::new(Algorithm::HS256, b"hunter2", b"").unwrap();
    assert_eq!(
        format!("{keys:?}"),
        "Keys { signing: SigningKey(HS256), verifying: VerifyingKey(HS256), others: [] }"
    );
}

proptest! {
    #[test]
    fn any_key_text_is_read_or_refused(body in "[A-Za-z0-9+/]{0,80}={0,2}|.{0,40}", label in "(RSA |EC )?P(RIVATE|UBLIC) KEY") {
        let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----");
        for algorithm in [Algorithm::RS256, Algorithm::ES512, Algorithm::EdDSA] {
            let _ = SigningKey::new(algorithm, text.as_bytes());
            let _ = VerifyingKey::new(algorithm, body.as_bytes());
            let _ = VerifyingKey::new(algorithm, text.as_bytes());
        }
    }
}
