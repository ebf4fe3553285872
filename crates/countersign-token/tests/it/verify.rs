//! Which tokens are accepted, and in which words the others are refused.

use crate::vectors::{backend, object, objects, recorded_at, root, text};
use countersign_token::json::Value;
use countersign_token::{Algorithm, KeyError, Keys, Kind, Refusal, Settings, Tokens};
use proptest::prelude::*;

const KINDS: [Kind; 4] = [Kind::Access, Kind::Refresh, Kind::Sliding, Kind::Untyped];

/// What a server does with a token: decode, ask the blacklist, check.
fn outcome(tokens: &Tokens, token: &str, kind: Kind, blacklisted: &str) -> Result<(), Refusal> {
    let claims = tokens.decode(token, recorded_at())?;
    if kind.can_be_blacklisted() && claims.jti(&tokens.settings().jti_claim) == Some(blacklisted) {
        return Err(Refusal::Blacklisted);
    }
    tokens.check(&claims, kind, recorded_at())
}

#[test]
fn every_recorded_token_is_accepted_or_refused_in_the_same_words() {
    let root = root("tokens.json");
    let blacklisted = text(&root, "blacklisted_jti").unwrap();
    let (mut checked, mut crashes, mut unsupported) = (0, 0, 0);
    for vector in objects(root.get("vectors").unwrap()) {
        let name = text(&vector, "name").unwrap();
        let tokens = match backend(&root, &vector) {
            Ok((settings, keys)) => Tokens::new(settings, keys),
            Err(error) => {
                assert_eq!((name, error), ("minted/EdDSA-ed448/access", KeyError::Ed448));
                unsupported += 1;
                continue;
            }
        };
        let results = object(vector.get("result").unwrap());
        for kind in KINDS {
            let found = outcome(&tokens, text(&vector, "token").unwrap(), kind, blacklisted);
            match results.get("all").or(results.get(kind.name())).unwrap() {
                Value::String(ok) => assert_eq!((ok.as_str(), found), ("ok", Ok(())), "{name} {kind:?}"),
                expected => {
                    let refusal = found.expect_err(name).to_string();
                    // Without a message, the reference crashed.
                    text(object(expected), "error").map_or_else(
                        || crashes += 1,
                        |message| assert_eq!(refusal, message, "{name} {kind:?}"),
                    );
                }
            }
        }
        checked += 1;
    }
    assert_eq!((checked, unsupported, crashes), (438, 1, 36));
}

fn hs256(settings: Settings) -> Tokens {
    Tokens::new(settings, Keys::new(Algorithm::HS256, b"secret", b"").unwrap())
}

#[test]
fn a_refresh_token_without_id_is_refused_for_that() {
    let tokens = hs256(Settings::default());
    let mut claims = tokens.refresh_for("1", None, "x", recorded_at());
    claims.set("exp", 1_900_000_000);
    let other_id = Tokens::new(
        Settings { jti_claim: "token_id".to_owned(), ..Settings::default() },
        Keys::new(Algorithm::HS256, b"secret", b"").unwrap(),
    );
    assert_eq!(other_id.check(&claims, Kind::Refresh, recorded_at()), Err(Refusal::NoId));
    assert_eq!(tokens.check(&claims, Kind::Refresh, recorded_at()), Ok(()));
}

#[test]
fn claim_names_follow_the_settings() {
    let tokens = hs256(Settings {
        token_type_claim: "kind".to_owned(),
        jti_claim: "token_id".to_owned(),
        user_id_claim: "sub".to_owned(),
        ..Settings::default()
    });
    let claims = tokens.refresh_for("1", None, "x", recorded_at());
    let claims = tokens.decode(&tokens.encode(&claims), recorded_at()).unwrap();
    assert_eq!(tokens.check(&claims, Kind::Refresh, recorded_at()), Ok(()));
    assert_eq!(tokens.check(&claims, Kind::Access, recorded_at()), Err(Refusal::WrongType));
    assert_eq!(claims.jti("token_id"), Some("x"));
    assert_eq!(claims.jti("jti"), None);
    assert_eq!(hs256(Settings::default()).check(&claims, Kind::Untyped, recorded_at()), Err(Refusal::NoId));
}

proptest! {
    #[test]
    fn any_text_is_refused_without_panic(token in r"[A-Za-z0-9_=-]{0,40}(\.[A-Za-z0-9_=-]{0,40}){0,4}|.{0,80}") {
        prop_assert_eq!(hs256(Settings::default()).decode(&token, recorded_at()), Err(Refusal::Invalid));
    }

    #[test]
    fn any_signed_claims_are_checked_without_panic(
        name in "exp|iat|nbf|aud|iss|sub|jti|token_type",
        json in r#"-?[0-9]{1,22}(\.[0-9]{1,3})?([eE][0-9]{1,3})?|"[ +0-9x]{0,9}"|NaN|-?Infinity|null|\[\]"#,
    ) {
        let tokens = hs256(Settings::default());
        let mut claims = tokens.refresh_for("1", None, "x", recorded_at());
        if let Ok(value) = countersign_token::json::parse_constants(&json) {
            claims.set(&name, value);
        }
        if let Ok(claims) = tokens.decode(&tokens.encode(&claims), recorded_at()) {
            let _ = (claims.expires_at(), claims.user_id(&name));
            for kind in KINDS {
                let _ = tokens.check(&claims, kind, recorded_at());
            }
        }
    }

    #[test]
    fn no_damaged_token_is_accepted(position in 0_usize..200, replacement in "[A-Za-z0-9_-]") {
        let tokens = hs256(Settings::default());
        let token = tokens.encode(&tokens.refresh_for("1", None, "x", recorded_at()));
        let mut damaged = token.clone();
        let position = position % token.len();
        damaged.replace_range(position..=position, &replacement);
        prop_assert!(damaged == token || tokens.decode(&damaged, recorded_at()).is_err());
    }
}
