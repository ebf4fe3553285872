//! Arbitrary input: nothing panics, and what is accepted keeps its promises.

use countersign_domain::{
    Email, Password, PasswordPolicy, PasswordValidator, RawText, UserAttributes, Username, lower, nfkc,
    parse_text, strip,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Text that comes close to an address more often than random text does.
const NEARLY_AN_ADDRESS: &str =
    r#"[ab1.\-"\\ @\[\]:é\t\x00xn\u{17f}]{0,12}@?[ab1.\-\[\]:éxn\u{20000}]{0,16}(\.com)?"#;

proptest! {
    #[test]
    fn any_utf_16_is_parsed_or_refused_by_every_field(units in vec(any::<u16>(), 0..300)) {
        check_every_field(&RawText::from_utf16_lossy(&units))?;
    }

    #[test]
    fn any_text_is_parsed_or_refused_by_every_field(text in any::<String>()) {
        check_every_field(&RawText::from(text))?;
    }

    #[test]
    fn whatever_resembles_an_address_is_parsed_or_refused(text in NEARLY_AN_ADDRESS) {
        check_every_field(&RawText::from(text))?;
    }

    #[test]
    fn any_password_can_be_compared_with_any_attribute(
        password in any::<String>(), username in any::<String>(), email in any::<String>(), similarity in any::<f64>(),
    ) {
        let attributes = vec![countersign_domain::Attribute::Username, countersign_domain::Attribute::Email];
        let policy = PasswordPolicy::new(vec![PasswordValidator::UserAttributeSimilarity {
            max_similarity: similarity, attributes,
        }]);
        if let Ok(password) = Password::parse_presented(&password.into()) {
            let user = UserAttributes { username: &username, email: &email, ..UserAttributes::default() };
            prop_assert!(policy.check(&password, &user).len() <= 1);
        }
    }
}

/// Quadratic scanning of a megabyte would take minutes in a test build.
#[test]
fn a_megabyte_of_the_worst_input_is_refused_at_once() {
    for unit in ["a", "a.", "\"\\", "@", "-", "[:", "\u{301}", "\u{3a3}"] {
        let raw = RawText::from(unit.repeat(1_000_000 / unit.len()));
        assert!(Username::parse(&raw).is_err());
        assert!(Email::parse(&raw).is_err());
        assert!(Password::parse_new(&raw).is_err());
    }
}

fn check_every_field(raw: &RawText) -> Result<(), TestCaseError> {
    match Username::parse(raw) {
        Ok(name) => {
            prop_assert_eq!(name.as_sent(), strip(raw.as_str()));
            prop_assert_eq!(name.stored(), nfkc(name.as_sent()));
        }
        Err(errors) => prop_assert!(!errors.is_empty()),
    }
    if let Ok(email) = Email::parse(raw) {
        prop_assert_eq!(lower(email.as_sent()), lower(&email.stored()));
    }
    if let Ok(password) = Password::parse_new(raw) {
        prop_assert_eq!(
            Password::parse_presented(raw).map(|same| same.expose() == password.expose()),
            Ok(true)
        );
    }
    prop_assert_eq!(parse_text(raw).is_ok(), Password::parse_presented(raw).is_ok());
    Ok(())
}
