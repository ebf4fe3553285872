//! Reading claims.

use countersign_token::json::{Value, parse_constants};
use countersign_token::{Claims, UserIdClaim};

fn claims(json: &str) -> Claims {
    match parse_constants(json).unwrap() {
        Value::Object(object) => Claims(object),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_user_id_is_read_as_python_int_reads_it() {
    for (json, expected) in [
        (r#"{"id":1}"#, UserIdClaim::Missing),
        (r#"{"user_id":null}"#, UserIdClaim::Null),
        (r#"{"user_id":"1"}"#, UserIdClaim::Id(1)),
        (r#"{"user_id":" +0_1\n"}"#, UserIdClaim::Id(1)),
        (r#"{"user_id":"\u0663"}"#, UserIdClaim::Id(3)),
        (r#"{"user_id":1.9}"#, UserIdClaim::Id(1)),
        (r#"{"user_id":true}"#, UserIdClaim::Id(1)),
        (r#"{"user_id":false}"#, UserIdClaim::Id(0)),
        (r#"{"user_id":9223372036854775807}"#, UserIdClaim::Id(i64::MAX)),
        (r#"{"user_id":9223372036854775808}"#, UserIdClaim::OutOfRange),
        (r#"{"user_id":1e30}"#, UserIdClaim::OutOfRange),
        (r#"{"user_id":NaN}"#, UserIdClaim::NotAnInteger),
        (r#"{"user_id":Infinity}"#, UserIdClaim::NotAnInteger),
        (r#"{"user_id":""}"#, UserIdClaim::NotAnInteger),
        (r#"{"user_id":"1.0"}"#, UserIdClaim::NotAnInteger),
        (r#"{"user_id":"\ud800"}"#, UserIdClaim::NotAnInteger),
        (r#"{"user_id":[1]}"#, UserIdClaim::NotAnInteger),
    ] {
        assert_eq!(claims(json).user_id("user_id"), expected, "{json}");
    }
    assert!(claims(r#"{"a":"0"}"#).is_truthy("a"));
    assert!(!claims(r#"{"a":0}"#).is_truthy("a"));
    assert!(!claims("{}").is_truthy("a"));
}

#[test]
fn the_expiry_is_a_timestamp() {
    let expiry = |json: &str| claims(json).expires_at().map(|moment| moment.to_string());
    assert_eq!(expiry(r#"{"exp":1767225600.25}"#).as_deref(), Some("2026-01-01T00:00:00.25Z"));
    assert_eq!(expiry(r#"{"exp":253402300799}"#).as_deref(), Some("9999-12-30T22:00:00.999999999Z"));
    assert_eq!(expiry(r#"{"exp":"1767225600"}"#), None);
    assert_eq!(expiry(r#"{"exp":253402300800}"#), None);
    assert_eq!(expiry("{}"), None);
}
