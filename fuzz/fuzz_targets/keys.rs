//! Keys in PEM and sets of them (JWKS): they are taken or refused, for every algorithm, and a set that was taken has
//! public keys alone.
#![no_main]

use countersign_token::{Algorithm, Keys, Settings, SigningKey, Tokens, Verifier, VerifyingKey, parse_jwks};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES512,
    Algorithm::ES256K,
    Algorithm::EdDSA,
];

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(keys) = parse_jwks(text)
    {
        assert!(keys.iter().all(|key| !key.algorithm().is_symmetric()), "a set is public");
        let verifier = Verifier::new(Settings::default(), keys);
        let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA";
        assert!(verifier.decode(token, Timestamp::UNIX_EPOCH).is_err());
    }
    for algorithm in ALGORITHMS {
        if let Ok(key) = VerifyingKey::new(algorithm, data) {
            assert_eq!(key.algorithm(), algorithm);
            let _ = key.named();
        }
        if SigningKey::new(algorithm, data).is_ok() {
            let Ok(keys) = Keys::named(algorithm, data) else { continue };
            let written = Tokens::new(Settings::default(), keys).jwks();
            assert_eq!(parse_jwks(&written).map(|keys| keys.len()), Ok(1), "our own set is read: {written}");
        }
    }
});
