//! The work of a login that fails does not depend on why it fails; counted, not timed.

use countersign_password::{Hashers, Outcome, Preferred, Workspace};

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
fn nothing_is_added_to_a_hash_that_took_more_work_or_is_of_another_algorithm() {
    let costlier = "pbkdf2_sha256$150$AbCdEfGhIjKlMnOpQrStUv$x";
    let other_digest = "pbkdf2_sha1$40$AbCdEfGhIjKlMnOpQrStUv$x";
    let short_salt = "pbkdf2_sha256$100$salt$x";
    for (stored, expected) in [(costlier, 150), (other_digest, 40), (short_salt, 100)] {
        let hashers = hashers(CHEAP_PBKDF2);
        assert_eq!(work_to_verify(&hashers, "wrong", stored), expected, "{stored}");
        assert!(hashers.needs_update(stored));
    }
    let argon2 = "argon2$argon2id$v=19$m=32,t=1,p=1$c2FsdHNhbHQ$aGFzaA";
    assert_eq!(work_to_verify(&hashers(CHEAP_ARGON2), "wrong", argon2), 32);
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
