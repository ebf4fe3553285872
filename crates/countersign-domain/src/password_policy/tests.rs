//! The policy against the recorded answers of Django's validators and Python's difflib.

use super::*;
use crate::vectors::{self, string};

#[test]
fn every_recorded_password_gets_the_reference_s_reasons() {
    let policy = PasswordPolicy::default();
    let vectors = vectors::read("password_validators.json");
    assert_eq!(vectors.len(), 167);
    for vector in &vectors {
        let optional = |member: &str| vector[member].as_str().unwrap_or_default();
        let user = UserAttributes {
            username: string(vector, "username"),
            first_name: optional("first_name"),
            last_name: optional("last_name"),
            email: string(vector, "email"),
        };
        let reasons = policy.check_text(string(vector, "password"), &user);
        let messages: Vec<&str> = reasons.into_iter().map(message).collect();
        assert_eq!(vector["messages"], serde_json::json!(messages), "{vector}");
    }
}

#[test]
fn the_readme_s_example_is_accepted() {
    let example = &vectors::read_json("password_validators.json")["readme_example"];
    let user = UserAttributes {
        username: string(example, "username"),
        email: string(example, "email"),
        ..UserAttributes::default()
    };
    assert_eq!(PasswordPolicy::default().check_text(string(example, "password"), &user), []);
}

#[test]
fn the_list_of_common_passwords_is_whole() {
    let recorded = &vectors::read_json("password_validators.json")["common_list"];
    let policy = PasswordPolicy::new(vec![PasswordValidator::Common]);
    assert_eq!(recorded["lines"], COMMON_PASSWORDS.lines().count());
    assert_eq!(recorded["distinct_after_strip"], policy.common.len());
    assert!(policy.common.iter().all(|password| strip(password) == *password));
}

#[test]
fn every_recorded_ratio_is_equal_to_the_last_bit() {
    let vectors = vectors::read("quick_ratio.json");
    assert_eq!(vectors.len(), 19);
    for vector in &vectors {
        let (password, part) = (string(vector, "a"), string(vector, "b"));
        let expected = vector["ratio"].as_f64().unwrap();
        assert_eq!(quick_ratio(password, part).to_bits(), expected.to_bits(), "{vector}");
        assert_eq!(vector["skip"], is_much_longer(password, part, 0.7), "{vector}");
    }
}

#[test]
fn every_recorded_attribute_falls_into_the_same_parts() {
    let vectors = vectors::read("attribute_parts.json");
    assert_eq!(vectors.len(), 14);
    for vector in &vectors {
        let lowered = lower(string(vector, "value"));
        assert_eq!(vector["parts"], serde_json::json!(attribute_parts(&lowered)));
    }
}

fn message(reason: FieldError) -> &'static str {
    match reason {
        FieldError::TooSimilar(Attribute::Username) => "The password is too similar to the username.",
        FieldError::TooSimilar(Attribute::FirstName) => "The password is too similar to the first name.",
        FieldError::TooSimilar(Attribute::LastName) => "The password is too similar to the last name.",
        FieldError::TooSimilar(Attribute::Email) => "The password is too similar to the email address.",
        FieldError::TooShort { min: 8 } => {
            "This password is too short. It must contain at least 8 characters."
        }
        FieldError::TooCommon => "This password is too common.",
        FieldError::EntirelyNumeric => "This password is entirely numeric.",
        other => panic!("no validator gives {other:?}"),
    }
}
