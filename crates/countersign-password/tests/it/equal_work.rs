//! The work of a login that fails does not depend on why it fails; counted, not timed.

use countersign_password::{Hashers, Outcome, Preferred, Refusal, Workspace};

use super::{CHEAP_ARGON2, CHEAP_PBKDF2, hashers};

const REFUSED: [&str; 9] = [
    "",
    "!",
    "!pbkdf2_sha256$100$AbCdEfGhIjKlMnOpQrStUv$x",
    "gibberish",
    "sha1$abc$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
    "pbkdf2_sha256$abc$salt$x",
    "pbkdf2_sha256$2147483648$salt$x",
    "argon2$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
    "bcrypt_sha256$$2b$12$tooshort",
];

#[test]
fn unknown_users_and_refused_hashes_take_one_preferred_hash() {
    for (preferred, expected) in [
        (CHEAP_PBKDF2, 100),
        (CHEAP_ARGON2, 128),
        (Preferred::Scrypt { work_factor: 16, block_size: 8, parallelism: 2 }, 32),
        (Preferred::BcryptSha256 { cost: 5 }, 32),
    ] {
        let hashers = hashers(preferred);
        assert_eq!(work(|workspace| hashers.burn("password", workspace)), expected);
        for stored in REFUSED {
            let spent = work(|workspace| {
                let verdict = hashers.verify("password", stored, workspace);
                assert!(matches!(verdict.outcome, Outcome::Refused(_)), "{stored}");
            });
            assert_eq!(spent, expected, "{preferred:?} {stored}");
        }
    }
}

#[test]
fn a_wrong_password_against_an_outdated_hash_takes_the_missing_work_too() {
    let sha1 = Preferred::Pbkdf2Sha1 { iterations: 100 };
    let bcrypt = Preferred::BcryptSha256 { cost: 7 };
    for (preferred, stored, right, expected) in [
        (
            CHEAP_PBKDF2,
            "pbkdf2_sha256$1$AbCdEfGhIjKlMnOpQrStUv$8WsugxXXL2qr1Q0UCufVG1bsZNsAVcjrSwOuUoooE9U=",
            1,
            100,
        ),
        (sha1, "pbkdf2_sha1$40$AbCdEfGhIjKlMnOpQrStUv$AAAAAAAAAAAAAAAAAAAAAAAAAAA=", 40, 100),
        (bcrypt, "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuO1dOMJyqcI/MtCgtK890xIl4Fg9jlwsK", 16, 128),
    ] {
        let hashers = hashers(preferred);
        let verify = |password| work_to_verify(&hashers, password, stored);
        assert_eq!(verify("wrong"), expected, "{stored}");
        if !stored.contains("AAAA") {
            assert_eq!(verify("yourpassword"), right, "{stored}");
        }
    }
}

#[test]
fn a_wrong_password_against_a_hash_of_another_algorithm_takes_one_preferred_hash_too() {
    let costlier = "pbkdf2_sha256$150$AbCdEfGhIjKlMnOpQrStUv$x";
    let other_digest = "pbkdf2_sha1$40$AbCdEfGhIjKlMnOpQrStUv$x";
    let short_salt = "pbkdf2_sha256$100$salt$x";
    for (stored, expected) in [(costlier, 150), (other_digest, 40 + 100), (short_salt, 100)] {
        let hashers = hashers(CHEAP_PBKDF2);
        assert_eq!(work_to_verify(&hashers, "wrong", stored), expected, "{stored}");
        assert!(hashers.needs_update(stored));
    }
    let argon2 = "argon2$argon2id$v=19$m=32,t=1,p=1$c2FsdHNhbHQ$aGFzaA";
    assert_eq!(work_to_verify(&hashers(CHEAP_ARGON2), "wrong", argon2), 128);
}

/// One of each kind; of the cheaper ones of a kind less than what is missing.
const MIXED: [&str; 8] = [
    "pbkdf2_sha256$200$AbCdEfGhIjKlMnOpQrStUv$x",
    "pbkdf2_sha256$1$AbCdEfGhIjKlMnOpQrStUv$8WsugxXXL2qr1Q0UCufVG1bsZNsAVcjrSwOuUoooE9U=",
    "pbkdf2_sha1$40$AbCdEfGhIjKlMnOpQrStUv$x",
    "argon2$argon2id$v=19$m=256,t=2,p=4$c2FsdHNhbHQ$aGFzaA",
    "argon2$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
    "scrypt$16$AbCdEfGhIjKlMnOpQrStUv$8$5$x",
    "scrypt$16$AbCdEfGhIjKlMnOpQrStUv$8$1$x",
    "bcrypt_sha256$$2b$06$abcdefghijklmnopqrstuO1dOMJyqcI/MtCgtK890xIl4Fg9jlwsK",
];
/// Of PBKDF2 with SHA-256 and SHA-1, Argon2, scrypt and bcrypt the costliest each.
const ALL_OF_THEM: u64 = 200 + 40 + 512 + 80 + 64;

#[test]
fn where_hashes_are_mixed_every_refusal_takes_the_work_of_all_that_are_common() {
    for preferred in [CHEAP_ARGON2, CHEAP_PBKDF2] {
        let hashers = hashers(preferred).knowing(MIXED, u64::MAX);
        assert_eq!(work(|workspace| hashers.burn("password", workspace)), ALL_OF_THEM);
        for stored in REFUSED.into_iter().chain(MIXED) {
            let spent = work(|workspace| assert!(!hashers.verify("wrong", stored, workspace).is_correct()));
            assert_eq!(spent, ALL_OF_THEM, "{stored}");
        }
    }
}

#[test]
fn a_right_password_costs_only_its_own_hash_unless_it_lets_nobody_in() {
    let right = MIXED[1];
    let hashers = hashers(CHEAP_ARGON2).knowing(MIXED, u64::MAX);
    assert_eq!(work(|workspace| assert!(hashers.verify("yourpassword", right, workspace).is_correct())), 1);
    let in_vain = |password| work(|workspace| _ = hashers.verify_in_vain(password, right, workspace));
    assert_eq!([in_vain("yourpassword"), in_vain("wrong")], [ALL_OF_THEM; 2]);
}

#[test]
fn what_is_rare_or_very_costly_or_takes_too_much_memory_makes_no_refusal_slow() {
    let (ordinary, odd) = (MIXED[1], "pbkdf2_sha256$1900000$AbCdEfGhIjKlMnOpQrStUv$x");
    let refusal = |sample: Vec<&str>, memory_kib| {
        let hashers = hashers(CHEAP_ARGON2).knowing(sample, memory_kib);
        hashers.work_of_a_refusal().map(|(_, work)| work).sum::<u64>()
    };
    let one_odd_in = |count: usize| std::iter::repeat_n(ordinary, count - 1).chain([odd]).collect();
    assert_eq!(refusal(one_odd_in(101), u64::MAX), 128 + 1);
    assert_eq!(refusal(one_odd_in(100), u64::MAX), 128 + 1_900_000);
    for too_costly in [
        "pbkdf2_sha256$2000001$AbCdEfGhIjKlMnOpQrStUv$x",
        "pbkdf2_sha1$2000001$AbCdEfGhIjKlMnOpQrStUv$x",
        "argon2$argon2id$v=19$m=204801,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
        "argon2$argon2id$v=19$m=102400,t=5,p=1$c2FsdHNhbHQ$aGFzaA",
        "scrypt$65536$AbCdEfGhIjKlMnOpQrStUv$8$1$x",
        "bcrypt_sha256$$2b$14$abcdefghijklmnopqrstuO1dOMJyqcI/MtCgtK890xIl4Fg9jlwsK",
    ] {
        assert_eq!(refusal(vec![too_costly], u64::MAX), 128, "{too_costly}");
    }
    assert_eq!(refusal(MIXED.to_vec(), 255), ALL_OF_THEM - 512 + 128);
    assert_eq!(refusal(REFUSED.to_vec(), u64::MAX), 128);
}

#[test]
fn the_memory_that_a_verification_takes_is_known_before() {
    let cheap = hashers(CHEAP_ARGON2);
    let costly = "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHQ$aGFzaA";
    let scrypt = "scrypt$16384$AbCdEfGhIjKlMnOpQrStUv$8$5$x";
    assert_eq!(cheap.memory_kib(None), 64);
    assert_eq!(cheap.memory_kib(Some(costly)), 102_400);
    assert_eq!(cheap.memory_kib(Some(scrypt)), 64 + 16_389, "Argon2's memory is kept beside it");
    let both = cheap.knowing([costly, scrypt], u64::MAX);
    assert_eq!(both.memory_kib(None), 102_400 + 16_389);
    assert_eq!(both.memory_kib(Some(costly)), 102_400 + 16_389);
    assert_eq!(cheap.knowing([costly, scrypt], 110_000).memory_kib(None), 102_400, "the two do not fit");
    assert_eq!(cheap.knowing([costly], u64::MAX).memory_kib(None), 102_400);
    let small = cheap.clone().within(20_000);
    assert_eq!((small.memory_kib(Some(costly)), small.memory_kib(Some(scrypt))), (64, 64 + 16_389));
    assert_eq!(
        small.verify("x", costly, &mut Workspace::default()).outcome,
        Outcome::Refused(Refusal::TooCostly)
    );
    let mut workspace = Workspace::default();
    cheap.knowing([costly], u64::MAX).burn("x", &mut workspace);
    assert_eq!(workspace.memory_kib(), 102_400, "fresh pages for each would tell the kinds apart");
}

fn work_to_verify(hashers: &Hashers, password: &str, stored: &str) -> u64 {
    work(|workspace| {
        let verdict = hashers.verify(password, stored, workspace);
        assert!(matches!(verdict.outcome, Outcome::Correct | Outcome::Wrong), "{stored}");
    })
}

fn work(run: impl FnOnce(&mut Workspace)) -> u64 {
    let mut workspace = Workspace::default();
    run(&mut workspace);
    workspace.work()
}
