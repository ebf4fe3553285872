//! New hashes and their salts.

use std::collections::HashMap;

use countersign_password::{
    Algorithm, Hashers, InvalidPreferred, Limits, Outcome, Preferred, Refusal, Salt, Workspace,
};

use super::{hashers, read_vectors};

#[test]
fn new_hashes_equal_those_of_django() {
    let salt = Salt::parse("AbCdEfGhIjKlMnOpQrStUv").expect("22 letters");
    let bcrypt_salt = Salt::parse("abcdefghijklmnopqrstuO").expect("22 letters");
    let recorded = read_vectors("upgrade_hashes.json");
    let mut workspace = Workspace::default();
    for (name, preferred, salt) in [
        ("pbkdf2-current", Preferred::DJANGO_PBKDF2, &salt),
        ("pbkdf2-600000", Preferred::Pbkdf2Sha256 { iterations: 600_000 }, &salt),
        ("pbkdf2-sha1", Preferred::DJANGO_PBKDF2_SHA1, &salt),
        ("argon2", Preferred::DJANGO_ARGON2, &salt),
        ("scrypt", Preferred::DJANGO_SCRYPT, &salt),
        ("bcrypt-sha256", Preferred::DJANGO_BCRYPT_SHA256, &bcrypt_salt),
    ] {
        let made = hashers(preferred).make("yourpassword", salt, &mut workspace);
        assert_eq!(Some(made.as_str()), recorded[name].as_str(), "{name}");
        assert!(made.len() <= 128, "Django's column holds 128 characters");
    }
}

#[test]
fn every_recorded_upgrade_hash_is_verified_and_only_the_current_one_is_kept() {
    let recorded = read_vectors("upgrade_hashes.json");
    let mut workspace = Workspace::default();
    let mut checked = 0;
    for (name, stored) in recorded.as_object().expect("an object") {
        let verdict = hashers(Preferred::DJANGO_PBKDF2).verify(
            "yourpassword",
            stored.as_str().expect("text"),
            &mut workspace,
        );
        assert_eq!(
            (verdict.outcome, verdict.must_update),
            (Outcome::Correct, name != "pbkdf2-current"),
            "{name}"
        );
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn a_new_hash_is_correct_for_its_password_alone_and_needs_no_update() {
    for preferred in [
        Preferred::OWASP_ARGON2ID,
        Preferred::Pbkdf2Sha256 { iterations: 7 },
        Preferred::Pbkdf2Sha1 { iterations: 7 },
        Preferred::Scrypt { work_factor: 4, block_size: 2, parallelism: 3 },
        Preferred::BcryptSha256 { cost: 4 },
    ] {
        let mut workspace = Workspace::default();
        // All nines decode to bits beyond bcrypt's 128.
        for salt in ["9999999999999999999999", "zZaAbBcCdDeEfFgGhHiIjJ"] {
            let salt = Salt::parse(salt).expect("22 characters");
            let hashers = hashers(preferred);
            let stored = hashers.make("pässword\0", &salt, &mut workspace);
            let verdict = hashers.verify("pässword\0", &stored, &mut workspace);
            assert_eq!((verdict.outcome, verdict.must_update), (Outcome::Correct, false), "{stored}");
            assert_eq!(hashers.verify("pässwort\0", &stored, &mut workspace).outcome, Outcome::Wrong);
            assert_eq!(hashers.identify(&stored), Ok(preferred.algorithm()));
        }
    }
}

#[test]
fn parameters_that_an_algorithm_or_the_limits_do_not_allow_are_refused() {
    let new = |preferred| Hashers::new(preferred, &[], Limits::default()).map(|_| ());
    for undefined in [
        Preferred::Argon2id { memory_kib: 15, iterations: 1, parallelism: 2 },
        Preferred::Argon2id { memory_kib: 64, iterations: 0, parallelism: 1 },
        Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: u32::MAX },
        Preferred::Pbkdf2Sha256 { iterations: 0 },
        Preferred::Scrypt { work_factor: 1000, block_size: 8, parallelism: 1 },
        Preferred::BcryptSha256 { cost: 3 },
        Preferred::BcryptSha256 { cost: 32 },
    ] {
        assert_eq!(new(undefined), Err(InvalidPreferred::Undefined), "{undefined:?}");
    }
    for costly in [
        Preferred::Argon2id { memory_kib: u32::MAX, iterations: 1, parallelism: 1 },
        Preferred::Pbkdf2Sha1 { iterations: u32::MAX },
        Preferred::Scrypt { work_factor: 1 << 31, block_size: u32::MAX, parallelism: u32::MAX },
        Preferred::BcryptSha256 { cost: 31 },
    ] {
        assert_eq!(new(costly), Err(InvalidPreferred::OverLimits), "{costly:?}");
    }
}

#[test]
fn the_preferred_algorithm_is_always_accepted_and_others_only_when_listed() {
    let hashers = Hashers::new(super::CHEAP_PBKDF2, &[Algorithm::Md5], Limits::default()).expect("valid");
    assert_eq!(hashers.identify("pbkdf2_sha256$1$s$x"), Ok(Algorithm::Pbkdf2Sha256));
    assert_eq!(hashers.identify("md5$s$x"), Ok(Algorithm::Md5));
    assert_eq!(hashers.identify("bcrypt$$2b$12$x"), Err(Refusal::UnknownAlgorithm));
}

#[test]
fn algorithm_names_lead_back_to_their_algorithm() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
    }
    assert_eq!(Algorithm::from_name("PBKDF2_SHA256"), None);
}

#[test]
fn salts_are_22_letters_and_digits_and_no_character_is_favoured() {
    let mut counts: HashMap<char, u32> = HashMap::new();
    // A fixed generator (splitmix64) stands for the operating system's.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    for _ in 0..5_000 {
        let mut random = [0; 32];
        random.as_chunks_mut::<8>().0.iter_mut().for_each(|chunk| *chunk = next().to_le_bytes());
        let salt = Salt::from_random(random);
        assert_eq!(Salt::parse(salt.as_str()), Some(salt.clone()));
        salt.as_str().chars().for_each(|character| *counts.entry(character).or_default() += 1);
    }
    // 110 000 characters, 1774 of each expected, standard deviation 42.
    assert_eq!(counts.len(), 62);
    assert!(counts.values().all(|count| (1_560..1_990).contains(count)), "{counts:?}");
}

#[test]
fn salts_of_another_length_or_alphabet_are_no_salts() {
    for text in [
        "",
        "AbCdEfGhIjKlMnOpQrStU",
        "AbCdEfGhIjKlMnOpQrStUvw",
        "AbCdEfGhIjKlMnOpQrStU$",
        "äbCdEfGhIjKlMnOpQrStU",
    ] {
        assert_eq!(Salt::parse(text), None, "{text}");
    }
}
