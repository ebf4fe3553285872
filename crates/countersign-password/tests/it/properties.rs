//! Arbitrary stored strings and passwords, under limits that keep every hash small.

use countersign_password::{Algorithm, Hashers, Limits, Outcome, Preferred, Salt, Workspace};
use proptest::prelude::*;

fn tiny() -> Hashers {
    let limits = Limits {
        length: 400,
        pbkdf2_iterations: 50,
        argon2_memory_kib: 64,
        argon2_work_kib: 128,
        scrypt_memory_kib: 64,
        scrypt_work_kib: 128,
        bcrypt_cost: 4,
    };
    Hashers::new(Preferred::Pbkdf2Sha256 { iterations: 3 }, &Algorithm::ALL, limits).expect("valid")
}

/// A number, or what damage or malice makes of one.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0_u32..70).prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => "[-+ 0-9_]{0,12}",
    ]
}

/// Strings in the shape of every algorithm, each field plausible or not.
fn shaped() -> impl Strategy<Value = String> {
    let text = || "\\PC{0,30}|[a-zA-Z0-9./+=]{20,60}";
    prop_oneof![
        ("pbkdf2_sha(1|256)", number(), text(), text())
            .prop_map(|(name, n, s, c)| format!("{name}${n}${s}${c}")),
        (number(), text(), number(), number(), text())
            .prop_map(|(n, s, r, p, c)| format!("scrypt${n}${s}${r}${p}${c}")),
        ("argon2(i|d|id|x)", "(v=(16|19|[0-9]{0,4})[$])?", (number(), number(), number()), text(), text())
            .prop_map(|(variant, version, (m, t, p), s, c)| format!(
                "argon2${variant}${version}m={m},t={t},p={p}${s}${c}"
            )),
        ("bcrypt(_sha256)?", "[$]{0,2}2[abxyz]", number(), text())
            .prop_map(|(name, version, cost, data)| format!("{name}${version}${cost:0>2}${data}")),
        (text(), text()).prop_map(|(s, c)| format!("md5${s}${c}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn arbitrary_text_is_never_correct_and_never_panics(stored in "\\PC*|[!$a-z0-9_=,]*", password in ".*") {
        let hashers = tiny();
        let verdict = hashers.verify(&password, &stored, &mut Workspace::default());
        prop_assert!(!verdict.is_correct());
        prop_assert_eq!(verdict.must_update, hashers.needs_update(&stored));
    }

    #[test]
    fn arbitrary_fields_are_bounded_work_and_never_correct(stored in shaped(), password in "\\PC{0,80}") {
        let mut workspace = Workspace::default();
        let verdict = tiny().verify(&password, &stored, &mut workspace);
        prop_assert!(!verdict.is_correct());
        // Its own 128 at the most, and the 3 of a hash like new ones, which every refusal costs.
        prop_assert!(workspace.work() <= 128 + 3, "{} for {stored}", workspace.work());
        prop_assert!(workspace.memory_kib() == 0);
    }

    #[test]
    fn damage_to_one_character_of_a_hash_makes_it_useless(
        position in any::<prop::sample::Index>(), replacement in any::<char>(), random in any::<[u8; 32]>(),
    ) {
        let hashers = tiny();
        let mut workspace = Workspace::default();
        let stored = hashers.make("password", &Salt::from_random(random), &mut workspace);
        prop_assert!(hashers.verify("password", &stored, &mut workspace).is_correct());
        let mut damaged: Vec<char> = stored.chars().collect();
        let index = position.index(damaged.len());
        damaged[index] = replacement;
        let damaged: String = damaged.into_iter().collect();
        let outcome = hashers.verify("password", &damaged, &mut workspace).outcome;
        prop_assert_eq!(outcome == Outcome::Correct, damaged == stored);
    }
}
