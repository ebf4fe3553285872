//! Strings that Django never writes, one rule at a time.

use countersign_password::{Algorithm, Hashers, Limits, Outcome, Preferred, Refusal, Workspace};

use super::{CHEAP_PBKDF2, hashers};

const ARGON2: &str = "argon2$argon2id$v=19$m=8,t=1,p=1$QWJDZEVmR2hJaktsTW5PcFFyU3RVdg$5jf7PsSFhuuQSDJE83bQsUjeVksnu6jIEoSMNlsTorU";
const PBKDF2: &str = "pbkdf2_sha256$1$AbCdEfGhIjKlMnOpQrStUv$8WsugxXXL2qr1Q0UCufVG1bsZNsAVcjrSwOuUoooE9U=";
const BCRYPT: &str = "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuO1dOMJyqcI/MtCgtK890xIl4Fg9jlwsK";
const SCRYPT: &str = "scrypt$2$AbCdEfGhIjKlMnOpQrStUv$1$1$ZopkHZNHps36PVaxFNxfb1qNxcg7P9S4qQ/iVgnkXPSlnme5LILpDeA1+/zHI6JAwOErQrC00BbwaC2FTD6PHw==";
const MD5: &str = "md5$AbCdEfGhIjKlMnOpQrStUv$bd9ca2a36f5c5d21fbf15a101d5d455d";

#[test]
fn the_strings_that_the_other_tests_damage_are_good() {
    for stored in [ARGON2, PBKDF2, BCRYPT, SCRYPT, MD5] {
        assert_eq!(outcome(stored), Outcome::Correct, "{stored}");
    }
}

#[test]
fn fields_that_python_reads_but_would_write_differently_never_verify() {
    for damaged in [
        PBKDF2.replace("$1$", "$01$"),
        PBKDF2.replace("$1$", "$+1$"),
        PBKDF2.replace("$1$", "$ 1$"),
        PBKDF2.replace("$1$", "$1_0$"),
        PBKDF2.replace("$1$", "$\u{661}$"),
        PBKDF2.replace("$1$", "$0$"),
        PBKDF2.replace("$1$", "$-1$"),
        SCRYPT.replace("$2$", "$02$"),
        SCRYPT.replace("$1$1$", "$1$0$"),
        SCRYPT.replace("$2$", "$3$"),
        SCRYPT.replace("$2$", "$1$"),
        ARGON2.replace("t=1", "t=01"),
        ARGON2.replace("m=8,t=1", "t=1,m=8"),
        ARGON2.replace("p=1", "p=1,x=1"),
        ARGON2.replace("m=8", "m=7"),
        ARGON2.replace("v=19", "v=18"),
        ARGON2.replace("argon2id", "Argon2id"),
        ARGON2.replace("5jf7", "5j\n7"),
        ARGON2.replace("QWJDZEVmR2hJaktsTW5PcFFyU3RVdg", "QWJDZEVmR2hJaktsTW5PcFFyU3RVdh"),
        format!("{ARGON2}="),
        format!("{ARGON2}$"),
        BCRYPT.replace("$04$", "$4$"),
        BCRYPT.replace("$04$", "$+4$"),
        BCRYPT.replace("$04$", "$004$"),
        BCRYPT.replace("$04$", "$03$"),
        BCRYPT.replace("$$2b$", "$2b$"),
        BCRYPT.replace("2b", "2c"),
        BCRYPT.replace("uO1", "uP1"),
        BCRYPT.replace("abcdefghijklmnopqrstuO1d", "abcdefghijklmnopqrstuä"),
    ] {
        assert_eq!(outcome(&damaged), Outcome::Refused(Refusal::Malformed), "{damaged:?}");
    }
}

#[test]
fn a_damaged_checksum_is_a_wrong_password() {
    for stored in [PBKDF2, BCRYPT, SCRYPT, MD5] {
        let cut = &stored[..stored.len() - 1];
        for damaged in [cut.to_owned(), format!("{stored}\n"), format!("{stored}$"), format!("{cut}ä")] {
            assert_eq!(outcome(&damaged), Outcome::Wrong, "{damaged:?}");
        }
    }
    assert_eq!(
        outcome(&MD5.to_uppercase().replace("MD5$ABCDEFGHIJKLMNOPQRSTUV", "md5$AbCdEfGhIjKlMnOpQrStUv")),
        Outcome::Wrong
    );
}

#[test]
fn all_four_bcrypt_prefixes_name_the_same_computation() {
    for version in ["2a", "2b", "2x", "2y"] {
        assert_eq!(outcome(&BCRYPT.replace("2b", version)), Outcome::Correct, "{version}");
    }
}

#[test]
fn unsalted_hashes_of_early_django_are_foreign() {
    for stored in [
        "md5$$5f4dcc3b5aa765d61d8327deb882cf99",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "sha1$$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
        "default$1$AbCdEfGhIjKlMnOpQrStUv$8WsugxXXL2qr1Q0UCufVG1bsZNsAVcjrSwOuUoooE9U=",
    ] {
        assert_eq!(outcome(stored), Outcome::Refused(Refusal::UnknownAlgorithm), "{stored}");
    }
}

fn outcome(stored: &str) -> Outcome {
    hashers(CHEAP_PBKDF2).verify("yourpassword", stored, &mut Workspace::default()).outcome
}

#[test]
fn a_stored_string_is_recognised_without_work() {
    let preferred = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
    let hashers = Hashers::new(preferred, &Algorithm::DJANGO_DEFAULT, Limits::default()).unwrap();
    for (stored, expected) in [
        ("pbkdf2_sha1$1000$AbCdEfGhIjKlMnOpQrStUv$czliNz2YGCcNL7hQTU3AdyTuQxs=", Ok(Algorithm::Pbkdf2Sha1)),
        ("pbkdf2_sha1$1000$$x", Err(Refusal::Malformed)),
        ("pbkdf2_sha1$99999999$salt$x", Err(Refusal::TooCostly)),
        ("md5$salt$x", Err(Refusal::UnknownAlgorithm)),
        ("!abc", Err(Refusal::Unusable)),
        ("", Err(Refusal::UnknownAlgorithm)),
    ] {
        assert_eq!(hashers.recognise(stored), expected, "{stored}");
    }
}
