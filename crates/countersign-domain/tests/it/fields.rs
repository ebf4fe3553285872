//! Each field of the wire: what is trimmed, which errors it has and in what order.

use countersign_domain::{
    Attribute, Email, FieldError, NewUser, Password, PasswordHash, PasswordPolicy, PasswordValidator,
    RawText, UserAttributes, UserId, Username, parse_text,
};

fn with_surrogate(text: &str) -> RawText {
    RawText::from_utf16_lossy(&text.encode_utf16().chain([0xd800]).collect::<Vec<_>>())
}

#[test]
fn nothing_but_white_space_is_blank_whatever_the_field() {
    let raw = RawText::from(" \u{1c}\u{2028}");
    assert_eq!(Username::parse(&raw), Err(vec![FieldError::Blank]));
    assert_eq!(Password::parse_new(&raw).unwrap_err(), [FieldError::Blank]);
    assert_eq!(Password::parse_presented(&raw).unwrap_err(), [FieldError::Blank]);
    assert_eq!(parse_text(&raw), Err(vec![FieldError::Blank]));
    assert_eq!(Email::parse(&raw), Ok(Email::default()));
}

#[test]
fn everything_wrong_with_a_name_is_reported_in_order() {
    let check = Username::check(&with_surrogate(&format!("a\0{}", " ".repeat(150)))).unwrap();
    assert_eq!(
        check.finish(true),
        Err(vec![
            FieldError::InvalidUsername,
            FieldError::UsernameTaken,
            FieldError::TooLong { max: 150 },
            FieldError::NullCharacters,
            FieldError::Surrogate(0xd800),
        ])
    );
}

#[test]
fn an_invalid_name_is_looked_up_unless_no_database_can_hold_it() {
    let look_up = |raw: RawText| Username::check(&raw).unwrap().to_look_up().map(str::to_owned);
    assert_eq!(look_up(" not valid ".into()), Some("not valid".to_owned()));
    assert_eq!(look_up("a\0".into()), None);
    assert_eq!(look_up(with_surrogate("a")), None);
}

#[test]
fn a_name_is_looked_up_as_sent_and_stored_in_its_compatibility_form() {
    let name = Username::parse(&" \u{ff21}\u{ff22}\u{2168} ".into()).unwrap();
    assert_eq!((name.as_sent(), name.stored()), ("\u{ff21}\u{ff22}\u{2168}", "ABIX"));
}

#[test]
fn a_name_may_grow_beyond_its_column_when_it_is_stored() {
    let name = Username::parse(&"\u{fdfa}".repeat(9).into()).unwrap();
    assert_eq!(name.stored().chars().count(), 162);
}

#[test]
fn lengths_are_counted_in_code_points_after_trimming() {
    let name = |length| Username::parse(&format!(" {} ", "\u{20000}".repeat(length)).into());
    assert!(name(150).is_ok());
    assert_eq!(name(151), Err(vec![FieldError::TooLong { max: 150 }]));

    let email = |length: usize| Email::parse(&format!("{}@b.com", "a".repeat(length - 6)).into());
    assert!(email(254).is_ok());
    assert_eq!(email(255), Err(vec![FieldError::TooLong { max: 254 }]));
    assert_eq!(email(321), Err(vec![FieldError::TooLong { max: 254 }, FieldError::InvalidEmail]));

    let password = |length: usize| Password::parse_new(&format!("\u{e9}{}", "a".repeat(length - 1)).into());
    assert!(password(128).is_ok());
    assert_eq!(password(129).unwrap_err(), [FieldError::TooLong { max: 128 }]);
}

#[test]
fn everything_wrong_with_an_address_is_reported_with_the_syntax_last() {
    let raw = with_surrogate(&format!("{}\0", "a".repeat(254)));
    assert_eq!(
        Email::parse(&raw),
        Err(vec![
            FieldError::TooLong { max: 254 },
            FieldError::NullCharacters,
            FieldError::Surrogate(0xd800),
            FieldError::InvalidEmail,
        ])
    );
}

#[test]
fn a_surrogate_in_a_domain_is_the_only_thing_wrong_there() {
    let raw = RawText::from_utf16_lossy(&[0x61, 0x40, 0xdfff, 0x2e, 0x63, 0x6f]);
    assert_eq!(Email::parse(&raw), Err(vec![FieldError::Surrogate(0xdfff)]));
}

#[test]
fn an_address_is_stored_with_its_domain_in_lower_case() {
    let email = Email::parse(&" \"A@B\"@B\u{dc}CHER.DE\n".into()).unwrap();
    assert_eq!(email.as_sent(), "\"A@B\"@B\u{dc}CHER.DE");
    assert_eq!(email.stored(), "\"A@B\"@b\u{fc}cher.de");
    assert_eq!(Email::default().stored(), "");
}

#[test]
fn a_presented_password_is_trimmed_like_a_new_one_but_may_be_of_any_length() {
    let long = "a".repeat(100_000);
    assert_eq!(Password::parse_presented(&format!(" {long}\n").into()).unwrap().expose(), long);
    let wrong = Password::parse_presented(&with_surrogate("a\0")).unwrap_err();
    assert_eq!(wrong, [FieldError::NullCharacters, FieldError::Surrogate(0xd800)]);
}

#[test]
fn a_token_field_is_trimmed_and_may_not_hold_nul() {
    assert_eq!(parse_text(&" a.b.c ".into()).as_deref(), Ok("a.b.c"));
    assert_eq!(parse_text(&"a\0b".into()), Err(vec![FieldError::NullCharacters]));
}

#[test]
fn a_policy_applies_its_validators_in_their_order_and_with_their_options() {
    let password = Password::parse_new(&"123456".into()).unwrap();
    let user =
        UserAttributes { username: "654321", email: "123456@example.com", ..UserAttributes::default() };
    let policy = PasswordPolicy::new(vec![
        PasswordValidator::Numeric,
        PasswordValidator::MinimumLength { min_length: 12 },
        PasswordValidator::UserAttributeSimilarity {
            max_similarity: 1.0,
            attributes: vec![Attribute::Email],
        },
    ]);
    let reasons = policy.check(&password, &user);
    assert_eq!(
        reasons,
        [
            FieldError::EntirelyNumeric,
            FieldError::TooShort { min: 12 },
            FieldError::TooSimilar(Attribute::Email)
        ]
    );
    assert_eq!(PasswordPolicy::new(Vec::new()).check(&password, &user), []);
}

#[test]
fn registration_makes_an_ordinary_active_user() {
    let name = Username::parse(&"\u{fb01}sh".into()).unwrap();
    let email = Email::parse(&"Fish@SEA.example".into()).unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let user = NewUser::registered(Some(&name), &email, PasswordHash::new("!".to_owned()), now);
    assert_eq!((user.username.as_str(), user.email.as_str()), ("fish", "Fish@sea.example"));
    assert!(user.is_active && !user.is_staff && !user.is_superuser);
    assert_eq!((user.last_login, user.date_joined), (None, now));
}

#[test]
fn a_user_id_prints_as_its_number() {
    assert_eq!(UserId::new(42).to_string(), "42");
    assert_eq!(UserId::new(42).number(), Some(42));
}

#[test]
fn secrets_are_not_printed() {
    let raw = RawText::from("hunter2");
    let password = Password::parse_new(&raw).unwrap();
    let hash = PasswordHash::new("hunter2".to_owned());
    assert!(!format!("{raw:?} {password:?} {hash:?}").contains("hunter2"));
}
