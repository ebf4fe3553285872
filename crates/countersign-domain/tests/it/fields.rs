//! Each field of the wire: what is trimmed, which errors it has and in what order.

use countersign_domain::{
    Attribute, Email, FieldError, NewUser, Password, PasswordHash, PasswordPolicy, PasswordValidator,
    RawText, UserAttributes, UserId, UserIdKind, Username, parse_text,
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
fn a_uuid_is_read_as_python_reads_it_and_printed_as_django_prints_it() {
    let shown = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let id = UserId::parse_uuid(shown).unwrap();
    assert_eq!((id.to_string().as_str(), id.number()), (shown, None));
    for same in [
        "0F8FAD5BD9CB469FA16570867728950E",
        "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e",
        "0f8fad5bd9cb-469fa16570867728950-e",
    ] {
        assert_eq!(UserId::parse_uuid(same), Some(id), "{same}");
    }
    for other in
        ["", "1", "0f8fad5b-d9cb-469f-a165-70867728950", "0f8fad5b-d9cb-469f-a165-70867728950g", "{}", "é"]
    {
        assert_eq!(UserId::parse_uuid(other), None, "{other}");
    }
}

#[test]
fn keys_are_walked_from_the_first_to_the_last_of_their_kind() {
    for kind in [UserIdKind::Number, UserIdKind::Uuid] {
        let first = UserId::first(kind);
        let second = first.next().unwrap();
        assert!(second > first && second.next().unwrap() > second);
    }
    assert_eq!(UserId::new(i64::MAX).next(), None);
    assert_eq!(UserId::parse_uuid(&"f".repeat(32)).unwrap().next(), None);
}

#[test]
fn an_address_to_log_in_with_has_to_be_there_and_is_refused_in_the_order_of_the_reference() {
    assert_eq!(Email::check(&" ".into()).unwrap_err(), FieldError::Blank);
    let good = Email::check(&" Ada@SEA.example ".into()).unwrap();
    assert_eq!(good.to_look_up(), Some("Ada@SEA.example"), "as it was sent");
    assert_eq!(good.finish(false).unwrap().stored(), "Ada@sea.example");
    let taken = Email::check(&"ada@sea.example".into()).unwrap().finish(true);
    assert_eq!(taken.unwrap_err(), [FieldError::EmailTaken]);
    let bad = Email::check(&format!("ada\0{}", "a".repeat(260)).as_str().into()).unwrap();
    assert_eq!(bad.to_look_up(), None);
    assert_eq!(
        bad.finish(false).unwrap_err(),
        [FieldError::TooLong { max: 254 }, FieldError::NullCharacters, FieldError::InvalidEmail]
    );
    let member = NewUser::registered(
        None,
        &Email::parse(&"Ada@SEA.example".into()).unwrap(),
        PasswordHash::new("!".to_owned()),
        jiff::Timestamp::UNIX_EPOCH,
    );
    assert_eq!(member.username, "Ada@sea.example");
}

#[test]
fn secrets_are_not_printed() {
    let raw = RawText::from("hunter2");
    let password = Password::parse_new(&raw).unwrap();
    let hash = PasswordHash::new("hunter2".to_owned());
    assert!(!format!("{raw:?} {password:?} {hash:?}").contains("hunter2"));
}
