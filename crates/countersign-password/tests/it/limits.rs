//! What a stored string may ask for.

use countersign_password::{Algorithm, Hashers, Limits, Outcome, Preferred, Refusal, Workspace};

use super::{CHEAP_ARGON2, CHEAP_PBKDF2, hashers};

#[test]
fn strings_that_ask_for_too_much_are_refused_before_any_of_it_is_done() {
    let checksum = "aGFzaGFzaGFzaGFzaGFzaGFzaGFzaGFzaGFzaGFzaGE";
    let bcrypt = "abcdefghijklmnopqrstuOGoZNvhjaLPnAM6b6o41up/mPe9ru/Ya";
    let long = "s".repeat(2000);
    for stored in [
        format!("pbkdf2_sha256$2147483648$salt${checksum}="),
        format!("pbkdf2_sha256$99999999999999999999$salt${checksum}="),
        format!("pbkdf2_sha1$10000001$salt${checksum}="),
        format!("argon2$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ${checksum}"),
        format!("argon2$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHQ${checksum}"),
        format!("argon2$argon2i$v=19$m=8,t=4294967295,p=1$c2FsdHNhbHQ${checksum}"),
        format!("scrypt$2147483648$salt$8$1${checksum}"),
        format!("scrypt$16384$salt$4294967295$4294967295${checksum}"),
        format!("scrypt$2$salt$1$4294967295${checksum}"),
        format!("bcrypt_sha256$$2b$31${bcrypt}"),
        format!("bcrypt$$2b$17${bcrypt}"),
        format!("pbkdf2_sha256$1${long}${checksum}="),
        format!("md5${long}${checksum}"),
    ] {
        let mut workspace = Workspace::default();
        let verdict = hashers(CHEAP_PBKDF2).verify("password", &stored, &mut workspace);
        assert_eq!(verdict.outcome, Outcome::Refused(Refusal::TooCostly), "{stored}");
        assert_eq!((workspace.work(), workspace.memory_kib()), (100, 0), "{stored}");
    }
}

#[test]
fn the_default_limits_admit_the_defaults_of_django_and_owasp_with_room() {
    for preferred in [
        Preferred::OWASP_ARGON2ID,
        Preferred::DJANGO_ARGON2,
        Preferred::Argon2id { memory_kib: 262_144, iterations: 8, parallelism: 8 },
        Preferred::DJANGO_PBKDF2,
        Preferred::DJANGO_PBKDF2_SHA1,
        Preferred::Pbkdf2Sha256 { iterations: 10_000_000 },
        Preferred::DJANGO_SCRYPT,
        Preferred::Scrypt { work_factor: 1 << 17, block_size: 8, parallelism: 1 },
        Preferred::DJANGO_BCRYPT_SHA256,
        Preferred::BcryptSha256 { cost: 16 },
    ] {
        hashers(preferred);
    }
}

#[test]
fn limits_are_inclusive() {
    let limits = Limits { pbkdf2_iterations: 100, ..Limits::default() };
    let hashers = Hashers::new(CHEAP_PBKDF2, &Algorithm::ALL, limits).expect("100 iterations are allowed");
    let outcome = |stored| hashers.verify("password", stored, &mut Workspace::default()).outcome;
    assert_eq!(outcome("pbkdf2_sha256$100$salt$x"), Outcome::Wrong);
    assert_eq!(outcome("pbkdf2_sha256$101$salt$x"), Outcome::Refused(Refusal::TooCostly));
}

#[test]
fn a_costly_hash_does_not_hold_its_memory() {
    let hashers = hashers(CHEAP_ARGON2);
    let mut workspace = Workspace::default();
    hashers.burn("password", &mut workspace);
    assert_eq!(workspace.memory_kib(), 64);
    let stored = "argon2$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$aGFzaA";
    assert_eq!(hashers.verify("password", stored, &mut workspace).outcome, Outcome::Wrong);
    assert_eq!(workspace.memory_kib(), 64);
    assert_eq!(workspace.work(), 128 + 1024);
}

#[test]
fn reused_memory_does_not_change_a_hash() {
    let stored = "argon2$argon2id$v=19$m=8,t=1,p=1$QWJDZEVmR2hJaktsTW5PcFFyU3RVdg$5jf7PsSFhuuQSDJE83bQsUjeVksnu6jIEoSMNlsTorU";
    let hashers = hashers(CHEAP_ARGON2);
    let mut workspace = Workspace::default();
    for _ in 0..2 {
        assert!(hashers.verify("yourpassword", stored, &mut workspace).is_correct());
        hashers.burn("password", &mut workspace);
    }
}
