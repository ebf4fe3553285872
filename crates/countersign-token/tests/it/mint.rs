//! The tokens we make are those of Simple JWT, byte by byte.

use crate::vectors::{backend, objects, recorded_at, root, text};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign_token::json::{Value, to_compact};
use countersign_token::{Algorithm, Audience, Claims, Keys, Kind, Refusal, Settings, Tokens};
use jiff::{SignedDuration, Timestamp};

const JTI: &str = "12345678123442348234123456789abc";
const OTHER_JTI: &str = "0123456789abcdef0123456789abcdef";

fn tokens(settings: Settings) -> Tokens {
    Tokens::new(settings, Keys::new(Algorithm::HS256, b"secret", b"").unwrap())
}

fn written(claims: &Claims) -> String {
    to_compact(&Value::Object(claims.0.clone()))
}

#[test]
fn every_recorded_minted_token_is_made_again() {
    let root = root("tokens.json");
    let (mut same_bytes, mut same_text) = (0, 0);
    for vector in objects(root.get("vectors").unwrap()) {
        let name = text(&vector, "name").unwrap();
        let ["minted", algorithm, what] = name.split('/').collect::<Vec<_>>()[..] else { continue };
        let Ok((settings, keys)) = backend(&root, &vector) else { continue };
        let tokens = Tokens::new(settings, keys);
        let refresh = tokens.refresh_for("7", None, OTHER_JTI, recorded_at());
        let claims = match what {
            "refresh" => tokens.rotated(&refresh, JTI, recorded_at()),
            _ => tokens.access_from(&refresh, JTI, recorded_at()),
        };
        let made = tokens.encode(&claims);
        let recorded = text(&vector, "token").unwrap();
        let (signed, _) = recorded.rsplit_once('.').unwrap();
        assert!(made.starts_with(&format!("{signed}.")), "{name}: {made}");
        tokens.decode(&made, recorded_at()).expect(name);
        if algorithm.starts_with("HS") || algorithm.starts_with("RS") || algorithm == "EdDSA" {
            assert_eq!(made, recorded, "{name}");
            same_bytes += 1;
        }
        let segment = |index: usize| {
            let segment = made.split('.').nth(index).unwrap();
            String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
        };
        if let Some(header) = text(&vector, "header_text") {
            assert_eq!(segment(0), header, "{name}");
            assert_eq!(Some(segment(1).as_str()), text(&vector, "payload_text"), "{name}");
            same_text += 1;
        }
    }
    assert_eq!((same_bytes, same_text), (16, 28));
}

#[test]
fn claims_stand_in_the_original_order() {
    let settings = Settings {
        audience: Some(Audience::List(vec!["a".to_owned(), "b".to_owned()])),
        issuer: Some("me".to_owned()),
        ..Settings::default()
    };
    let tokens = tokens(settings);
    let refresh = tokens.refresh_for("7", Some("ABC"), JTI, recorded_at());
    let read = tokens.decode(&tokens.encode(&refresh), recorded_at()).unwrap();
    assert_eq!(
        written(&read),
        format!(
            r#"{{"token_type":"refresh","exp":1767312000,"iat":1767225600,"jti":"{JTI}","user_id":"7","hash_password":"ABC","aud":["a","b"],"iss":"me"}}"#
        )
    );
    let sliding = tokens.sliding_for("7", None, JTI, recorded_at());
    assert_eq!(
        written(&sliding),
        format!(
            r#"{{"token_type":"sliding","exp":1767225900,"iat":1767225600,"jti":"{JTI}","refresh_exp":1767312000,"user_id":"7"}}"#
        )
    );
}

#[test]
fn an_access_token_copies_what_is_not_its_own_in_order_and_type() {
    let tokens = tokens(Settings { jti_claim: "token_id".to_owned(), ..Settings::default() });
    let mut refresh = Claims::default();
    refresh.set("z", 1.5);
    refresh.set("jti", "not copied");
    refresh.set("iat", 5);
    refresh.set("user_id", 7);
    refresh.set("nbf", Value::Null);
    let access = tokens.access_from(&refresh, JTI, recorded_at());
    assert_eq!(
        written(&access),
        format!(
            r#"{{"token_type":"access","exp":1767225900,"iat":1767225600,"token_id":"{JTI}","z":1.5,"user_id":7,"nbf":null}}"#
        )
    );
}

#[test]
fn rotation_changes_id_and_times_in_place_and_appends_missing_ones() {
    let tokens = tokens(Settings::default());
    let mut old = Claims::default();
    old.set("exp", 1);
    old.set("sid", "s");
    old.set("token_type", "refresh");
    assert_eq!(
        written(&tokens.rotated(&old, JTI, recorded_at())),
        format!(r#"{{"exp":1767312000,"sid":"s","token_type":"refresh","jti":"{JTI}","iat":1767225600}}"#)
    );
}

#[test]
fn times_are_rounded_down() {
    let half = Timestamp::new(1_767_225_600, 500_000_000).unwrap();
    let settings = Settings { access_lifetime: SignedDuration::from_millis(2499), ..Settings::default() };
    let access = tokens(settings).access_from(&Claims::default(), JTI, half);
    assert!(written(&access).starts_with(r#"{"token_type":"access","exp":1767225602,"iat":1767225600,"#));
}

#[test]
fn a_sliding_token_is_refreshed_until_its_refresh_period_ends() {
    let tokens = tokens(Settings::default());
    let sliding = tokens.sliding_for("7", None, JTI, recorded_at());
    let later = recorded_at() + SignedDuration::from_secs(100);
    let refreshed = tokens.sliding_refreshed(&sliding, later).unwrap();
    assert_eq!(tokens.check(&refreshed, Kind::Sliding, later), Ok(()));
    assert_eq!(
        written(&refreshed),
        format!(
            r#"{{"token_type":"sliding","exp":1767226000,"iat":1767225700,"jti":"{JTI}","refresh_exp":1767312000,"user_id":"7"}}"#
        )
    );
    let over = recorded_at() + SignedDuration::from_hours(24);
    assert_eq!(
        tokens.sliding_refreshed(&sliding, over).unwrap_err().to_string(),
        "Token 'refresh_exp' claim has expired"
    );
    let refresh = tokens.refresh_for("7", None, JTI, recorded_at());
    assert_eq!(
        tokens.sliding_refreshed(&refresh, later),
        Err(Refusal::NoTimeClaim("refresh_exp".to_owned()))
    );
}
