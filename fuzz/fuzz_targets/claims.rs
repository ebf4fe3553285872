//! Header and claims of a token that carries a good signature, as another service with the same `SECRET_KEY` may make
//! it: it is refused or read, and what was read can be written and is then read as the same.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign_fuzz::{SECRET_KEY, split_at};
use countersign_token::{Algorithm, Audience, Keys, Kind, Settings, Tokens};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

static NOW: LazyLock<Timestamp> = LazyLock::new(|| countersign_fuzz::NOW.parse().expect("a time"));

/// Simple JWT's settings, and those that look at more.
static TOKENS: LazyLock<[Tokens; 2]> = LazyLock::new(|| {
    let strict = Settings {
        issuer: Some("https://auth.example".to_owned()),
        audience: Some(Audience::One("app".to_owned())),
        session_claim: Some("sid".to_owned()),
        ..Settings::default()
    };
    let keys = || Keys::new(Algorithm::HS256, SECRET_KEY, b"").expect("a key");
    [Settings::default(), strict].map(|settings| Tokens::new(settings, keys()))
});

const KINDS: [Kind; 4] = [Kind::Access, Kind::Refresh, Kind::Sliding, Kind::Untyped];

fuzz_target!(|data: &[u8]| {
    let (header, claims) = split_at(data, b'\n');
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET_KEY);
    let token = format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes()).as_ref()));
    for tokens in &*TOKENS {
        let Ok(claims) = tokens.decode(&token, *NOW) else { continue };
        for kind in KINDS {
            let _ = tokens.check(&claims, kind, *NOW);
        }
        let _ = (claims.user_id("user_id"), claims.expires_at(), claims.jti("jti"), claims.is_truthy("sid"));
        let _ = tokens.sliding_refreshed(&claims, *NOW);
        let _ = (tokens.access_from(&claims, "a", *NOW), tokens.rotated(&claims, "b", *NOW));
        let written = tokens.encode(&claims);
        let again = tokens.decode(&written, *NOW).expect("our own is read");
        assert_eq!(tokens.encode(&again), written);
    }
});
