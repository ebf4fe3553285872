//! What people type to register and to log in, in lines: a name, an address, a password; with lone surrogates where JSON
//! could have them. What is taken fits the columns as it was sent, and what is stored of it does not change any more.
#![no_main]

use std::sync::LazyLock;

use countersign_domain::{
    Attribute, Email, Password, PasswordPolicy, PasswordValidator, RawText, UserAttributes, Username, nfkc,
    parse_text,
};
use libfuzzer_sys::fuzz_target;

static POLICY: LazyLock<PasswordPolicy> = LazyLock::new(|| {
    let attributes = vec![Attribute::Username, Attribute::Email];
    PasswordPolicy::new(vec![
        PasswordValidator::UserAttributeSimilarity { max_similarity: 0.7, attributes },
        PasswordValidator::MinimumLength { min_length: 8 },
        PasswordValidator::Common,
        PasswordValidator::Numeric,
    ])
});

/// A byte 0xff stands for a surrogate without its other half.
fn raw(line: &[u8]) -> RawText {
    let mut units = Vec::new();
    for (number, part) in line.split(|byte| *byte == 0xff).enumerate() {
        units.extend((number > 0).then_some(0xd800));
        units.extend(String::from_utf8_lossy(part).encode_utf16());
    }
    RawText::from_utf16_lossy(&units)
}

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n').map(raw);
    let mut next = || lines.next().unwrap_or_else(|| RawText::from(String::new()));
    let (name, address, password) = (next(), next(), next());
    let fits = |text: &str, longest: usize| {
        assert!(text.chars().count() <= longest && !text.contains('\0'), "{text:?}");
    };
    let name = Username::parse(&name).ok();
    if let Some(name) = &name {
        // What is stored may be longer and have other characters, as in Django; the insert looks at that.
        fits(name.as_sent(), Username::MAX_LENGTH);
        assert_eq!(nfkc(name.stored()), name.stored());
    }
    let email = Email::parse(&address).ok();
    if let Some(email) = &email {
        fits(email.as_sent(), Email::MAX_LENGTH);
        let again = Email::parse(&RawText::from(email.stored())).expect("it was taken");
        assert_eq!(again.stored(), email.stored());
    }
    let _ = (Username::check(&address), Email::check(&address), parse_text(&password));
    let Ok(password) = Password::parse_new(&password) else { return };
    let user = UserAttributes {
        username: name.as_ref().map_or("", Username::as_sent),
        email: email.as_ref().map_or("", Email::as_sent),
        ..UserAttributes::default()
    };
    assert!(POLICY.check(&password, &user).len() <= 4);
});
