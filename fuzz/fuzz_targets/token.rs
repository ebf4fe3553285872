//! A token in compact form, as anybody may send one: nothing is accepted that was not signed here, and no input panics.
//! Damage to one that was is found wherever it is.
#![no_main]

use std::sync::LazyLock;

use countersign_token::{Algorithm, Keys, Settings, Tokens, VerifyingKey};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const PUBLIC: [(Algorithm, &str); 4] = [
    (Algorithm::RS256, include_str!("../../conformance/keys/rsa2048.pub.pem")),
    (Algorithm::ES256, include_str!("../../conformance/keys/p256.pub.pem")),
    (Algorithm::ES512, include_str!("../../conformance/keys/p521.pub.pem")),
    (Algorithm::EdDSA, include_str!("../../conformance/keys/ed25519.pub.pem")),
];

static NOW: LazyLock<Timestamp> = LazyLock::new(|| countersign_fuzz::NOW.parse().expect("a time"));
static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let keys = Keys::new(Algorithm::HS256, countersign_fuzz::SECRET_KEY, b"").expect("a key");
    let verifying =
        PUBLIC.map(|(algorithm, pem)| VerifyingKey::new(algorithm, pem.as_bytes()).expect("a key"));
    let keys = verifying.into_iter().fold(keys, |keys, key| keys.also_verifying(key.named()));
    Tokens::new(Settings::default(), keys)
});
/// One that is good.
static GOOD: LazyLock<String> =
    LazyLock::new(|| TOKENS.encode(&TOKENS.refresh_for("7", None, "0123456789abcdef", *NOW)));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(TOKENS.decode(text, *NOW).is_err() || text == *GOOD, "accepted, and nobody signed it: {text}");
    let _ = (TOKENS.has_key_for(text), TOKENS.named_key(text));
    // The same as damage: `AT` and what stands there instead.
    let Some((at, instead)) = text.split_once(' ') else { return };
    let Ok(at) = at.parse::<usize>() else { return };
    let Some((before, after)) = GOOD.split_at_checked(at) else { return };
    let damaged = format!("{before}{instead}{}", after.get(instead.len()..).unwrap_or_default());
    let is_itself = damaged.trim_end_matches('=') == *GOOD; // padding is let pass, as PyJWT does
    assert!(is_itself || TOKENS.decode(&damaged, *NOW).is_err(), "accepted though damaged: {damaged}");
});
