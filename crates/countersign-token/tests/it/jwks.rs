//! JWK sets: what we publish, and what we take from others.

use crate::vectors::{array, object, pem, recorded_at, text};
use countersign_token::json::{Object, Value, parse};
use countersign_token::{Algorithm, JwksError, Keys, Settings, Tokens, Verifier, VerifyingKey, parse_jwks};
use proptest::prelude::*;

/// RFC 7638 section 3.1.
const RFC_7638: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;

/// RFC 8037 appendix A.2.
const RFC_8037: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// Every asymmetric algorithm with a recorded key, and whether the algorithm is the key's when a JWK names none.
const PAIRS: [(Algorithm, &str, bool); 11] = [
    (Algorithm::RS256, "rsa2048", true),
    (Algorithm::RS384, "rsa2048", false),
    (Algorithm::RS512, "rsa4096", false),
    (Algorithm::PS256, "rsa2048", false),
    (Algorithm::PS384, "rsa4096", false),
    (Algorithm::PS512, "rsa2048", false),
    (Algorithm::ES256, "p256", true),
    (Algorithm::ES384, "p384", true),
    (Algorithm::ES512, "p521", true),
    (Algorithm::ES256K, "k256", true),
    (Algorithm::EdDSA, "ed25519", true),
];

fn set_of(jwk: &str) -> String {
    format!(r#"{{"keys":[{jwk}]}}"#)
}

/// The only key of a set.
fn only(jwk: &str) -> VerifyingKey {
    let mut keys = parse_jwks(&set_of(jwk)).unwrap();
    assert_eq!(keys.len(), 1, "{jwk}");
    keys.remove(0)
}

fn is_passed_over(jwk: &str) -> bool {
    parse_jwks(&set_of(jwk)).unwrap().is_empty()
}

fn named(algorithm: Algorithm, key: &str) -> Tokens {
    Tokens::new(Settings::default(), Keys::named(algorithm, pem(key).as_bytes()).unwrap())
}

fn token_of(tokens: &Tokens) -> String {
    tokens.encode(&tokens.refresh_for("7", None, "x", recorded_at()))
}

fn verifies(keys: Vec<VerifyingKey>, token: &str) -> bool {
    Verifier::new(Settings::default(), keys).decode(token, recorded_at()).is_ok()
}

fn entries(jwks: &str) -> Vec<Object> {
    let set = parse(jwks).unwrap();
    array(object(&set).get("keys").unwrap()).iter().map(|jwk| object(jwk).clone()).collect()
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let key = only(RFC_7638);
    assert_eq!((key.algorithm(), key.kid()), (Algorithm::RS256, Some("2011-04-29")));
    assert_eq!(key.named().kid(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    let key = only(RFC_8037);
    assert_eq!((key.algorithm(), key.kid()), (Algorithm::EdDSA, None));
    assert_eq!(key.named().kid(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
}

#[test]
fn what_one_service_publishes_verifies_its_tokens_in_another() {
    for (algorithm, key, is_default) in PAIRS {
        let tokens = named(algorithm, key);
        let (jwks, token) = (tokens.jwks(), token_of(&tokens));
        assert!(verifies(parse_jwks(&jwks).unwrap(), &token), "{algorithm:?}");
        let without_alg = jwks.replace(&format!(r#""alg":"{}","#, algorithm.name()), "");
        assert_eq!(verifies(parse_jwks(&without_alg).unwrap(), &token), is_default, "{algorithm:?}");
        let [entry] = &entries(&jwks)[..] else { panic!("{jwks}") };
        assert_eq!(text(entry, "use"), Some("sig"));
        assert_eq!(text(entry, "alg"), Some(algorithm.name()));
    }
}

#[test]
fn a_public_key_has_the_name_of_its_private_key() {
    for (algorithm, key, _) in PAIRS {
        let [private, public] = [pem(key), pem(&format!("{key}.pub"))]
            .map(|pem| VerifyingKey::new(algorithm, pem.as_bytes()).unwrap().named());
        assert_eq!(private.kid(), public.kid(), "{algorithm:?}");
        let jwks = named(algorithm, key).jwks();
        assert_eq!(text(&entries(&jwks)[0], "kid"), public.kid(), "{algorithm:?}");
        assert_eq!(parse_jwks(&jwks).unwrap()[0].kid(), public.kid(), "{algorithm:?}");
    }
}

#[test]
fn every_key_is_published_but_no_secret() {
    let keys = Keys::named(Algorithm::EdDSA, pem("ed25519").as_bytes())
        .unwrap()
        .also_verifying(VerifyingKey::new(Algorithm::HS256, b"secret").unwrap())
        .also_verifying(VerifyingKey::new(Algorithm::ES256, pem("p256.pub").as_bytes()).unwrap());
    let jwks = Tokens::new(Settings::default(), keys).jwks();
    let [first, second] = &entries(&jwks)[..] else { panic!("{jwks}") };
    let names =
        |jwk: &Object| jwk.iter().map(|(name, _)| name.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(first), ["crv", "kty", "x", "use", "alg", "kid"]);
    assert_eq!(names(second), ["crv", "kty", "x", "y", "use", "alg", "kid"]);
    let secret = Tokens::new(Settings::default(), Keys::new(Algorithm::HS256, b"secret", b"").unwrap());
    assert_eq!(secret.jwks(), r#"{"keys":[]}"#);
}

#[test]
fn es521_is_published_under_its_right_name() {
    let jwks = named(Algorithm::ES521, "p521").jwks();
    assert_eq!(text(&entries(&jwks)[0], "alg"), Some("ES512"));
    assert_eq!(parse_jwks(&jwks).unwrap()[0].algorithm(), Algorithm::ES512);
}

#[test]
fn what_is_not_understood_is_passed_over() {
    let rsa = |from: &str, to: &str| {
        assert!(RFC_7638.contains(from));
        RFC_7638.replace(from, to)
    };
    let ed25519 = |from: &str, to: &str| {
        assert!(RFC_8037.contains(from));
        RFC_8037.replace(from, to)
    };
    for jwk in [
        "{}".to_owned(),
        r#"{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}"#.to_owned(),
        r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
        rsa("\"RSA\"", "\"AKP\""),
        rsa("\"RSA\"", "\"EC\""),
        rsa("\"RSA\"", "7"),
        rsa("RS256", "HS256"),
        rsa("RS256", "RSA-OAEP"),
        rsa("\"RS256\"", "null"),
        rsa("\"e\"", "\"use\":\"enc\",\"e\""),
        rsa("\"e\"", "\"key_ops\":[\"encrypt\"],\"e\""),
        rsa("\"e\"", "\"key_ops\":\"verify\",\"e\""),
        rsa("\"2011-04-29\"", "2011"),
        rsa("\"e\"", "\"f\""),
        rsa("AQAB", "AQAB="),
        rsa("AQAB", ""),
        rsa("AQAB", "AA"),
        rsa("0vx7ag", "AAAA0vx7ag"),
        // 1024 bits.
        format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, "u".repeat(170) + "E"),
        ed25519("Ed25519", "Ed448"),
        ed25519("Ed25519", "X25519"),
        ed25519("OKP", "EC"),
        ed25519("11qY", ""),
        ed25519("11qY", "11q+"),
        // Not on the curve, and coordinates without their leading zero.
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{0}","y":"{0}"}}"#, "A".repeat(43)),
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{0}","y":"{0}"}}"#, "A".repeat(42)),
    ] {
        assert!(is_passed_over(&jwk), "{jwk}");
    }
    only(&rsa("\"e\"", "\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],\"x5t\":\"AA\",\"e\""));
    assert_eq!(parse_jwks(&set_of(&format!(r#"{{"kty":"AKP"}},{RFC_8037}"#))).unwrap().len(), 1);
}

#[test]
fn a_curve_must_be_the_algorithms_own() {
    let jwk = entries(&named(Algorithm::ES256, "p256").jwks());
    let jwk = countersign_token::json::to_compact(&Value::from(jwk[0].clone()));
    only(&jwk);
    for alg in ["ES384", "ES256K", "EdDSA", "RS256"] {
        assert!(is_passed_over(&jwk.replace("ES256", alg)), "{alg}");
    }
    for crv in ["P-384", "secp256k1", "p-256"] {
        assert!(is_passed_over(&jwk.replace("P-256", crv)), "{crv}");
    }
}

#[test]
fn a_private_key_is_refused_even_where_it_would_be_passed_over() {
    for jwk in [RFC_7638, RFC_8037, r#"{"kty":"unknown","use":"enc"}"#] {
        let private = jwk.replacen('{', r#"{"d":"AQAB","#, 1);
        assert_eq!(
            parse_jwks(&set_of(&format!("{RFC_8037},{private}"))).unwrap_err(),
            JwksError::PrivateKey(2)
        );
    }
}

#[test]
fn what_is_no_jwk_set_is_refused() {
    for text in ["", "x", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":["x"]}"#, RFC_8037] {
        assert_eq!(parse_jwks(text).unwrap_err(), JwksError::NotAJwkSet, "{text}");
    }
    assert!(parse_jwks(r#"{"keys":[],"more":1}"#).unwrap().is_empty());
}

proptest! {
    #[test]
    fn any_members_are_read_or_passed_over(
        kty in "RSA|EC|OKP",
        crv in "P-256|P-384|P-521|secp256k1|Ed25519",
        x in "[A-Za-z0-9_-]{0,90}",
        e in "[A-Za-z0-9_-]{0,9}",
        n in "[A-Za-z0-9_-]{340,345}",
    ) {
        let jwk = format!(r#"{{"kty":"{kty}","crv":"{crv}","x":"{x}","y":"{x}","n":"{n}","e":"{e}"}}"#);
        let keys = parse_jwks(&set_of(&jwk)).unwrap();
        prop_assert!(keys.len() <= 1);
    }
}
