//! Every recorded hash, under the three recorded `PASSWORD_HASHERS` lists.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use countersign_password::{Algorithm, Hashers, Limits, Preferred, Workspace};
use serde_json::{Map, Value};

use super::{CHEAP_PBKDF2, hashers, read_vectors};

const CONFIGURATIONS: [&str; 3] = ["default", "argon2_first", "all"];

#[test]
fn every_recorded_hash_gets_the_recorded_answer() {
    let file = read_vectors("passwords.json");
    let vectors = file["vectors"].as_array().expect("a list");
    let recorded: Vec<Hashers> = CONFIGURATIONS.iter().map(|name| recorded_hashers(&file, name)).collect();
    let (next, answers, hashless) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut workspace = Workspace::default();
        while let Some(vector) = vectors.get(next.fetch_add(1, Ordering::Relaxed)) {
            if vector["encoded"].is_string() {
                answers.fetch_add(check(vector, &recorded, &mut workspace), Ordering::Relaxed);
            } else {
                check_without_hash(vector, &mut workspace);
                hashless.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in running {
            thread.join().expect("the thread's own message says what failed");
        }
    });
    // 203 with three right passwords, one wrong one and, for 15, one that differs after 72 bytes.
    assert_eq!((vectors.len(), hashless.into_inner(), answers.into_inner()), (207, 4, 203 * 4 + 15));
}

/// Checks one stored string under all configurations and returns the number of answers compared.
///
/// Whether password and hash belong together does not depend on the configuration, so that is computed
/// once for each password, with a preference too cheap to add work to a wrong one. `equal_work` tests
/// the added work, `shortcut_equals_verify` shows that putting the answer together like this is fair.
fn check(vector: &Value, recorded: &[Hashers], workspace: &mut Workspace) -> usize {
    let comparing = hashers(CHEAP_PBKDF2);
    let stored = vector["encoded"].as_str().expect("checked by the caller");
    let mut compared = HashMap::new();
    let mut answers = 0;
    for (name, hashers) in CONFIGURATIONS.iter().zip(recorded) {
        for (attempt, expected) in attempts(vector, name) {
            let password = attempted_password(vector, attempt);
            let matches = *compared
                .entry(password.clone())
                .or_insert_with(|| comparing.verify(&password, stored, workspace).is_correct());
            let correct = hashers.identify(stored).is_ok() && matches;
            if expected.get("exception").is_some() {
                assert!(!correct, "{name} {attempt} {stored}");
            } else {
                let answer = (Some(correct), Some(hashers.needs_update(stored)));
                assert_eq!(answer, recorded_answer(expected), "{name} {attempt} {stored}");
            }
            answers += 1;
        }
    }
    answers
}

/// Where Django could not even make a hash: bcrypt beyond 72 bytes, scrypt beyond OpenSSL's memory.
fn check_without_hash(vector: &Value, workspace: &mut Workspace) {
    match vector["algorithm"].as_str() {
        Some("bcrypt") => {
            let password = vector["password"].as_str().expect("text");
            assert!(password.len() > 72);
            let stored = "bcrypt$$2b$04$abcdefghijklmnopqrstuOZvf6eVgvO.Y.gTO5UDYqOzjWAW.ISQC";
            assert!(!hashers(CHEAP_PBKDF2).verify(password, stored, workspace).is_correct());
        }
        // Only OpenSSL's own limit, 32 MiB, stands in Django's way; ours is `Limits::scrypt_memory_kib`.
        algorithm => assert_eq!((algorithm, &vector["note"]), (Some("scrypt"), &"n=32768 r=8 p=1".into())),
    }
}

#[test]
fn shortcut_equals_verify() {
    let file = read_vectors("passwords.json");
    let vectors = file["vectors"].as_array().expect("a list");
    let mut workspace = Workspace::default();
    // Cheap hashes, among them outdated and refused ones, and an unusable password.
    let chosen = [1, 2, 7, 150, 157, 171, 172];
    let mut checked = 0;
    for name in CONFIGURATIONS {
        let hashers = recorded_hashers(&file, name);
        for vector in chosen.map(|index| &vectors[index]) {
            let stored = vector["encoded"].as_str().expect("text");
            for (attempt, expected) in attempts(vector, name) {
                let verdict = hashers.verify(&attempted_password(vector, attempt), stored, &mut workspace);
                let answer = (Some(verdict.is_correct()), Some(verdict.must_update));
                assert_eq!(answer, recorded_answer(expected), "{name} {attempt} {stored}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, chosen.len() * 4);
}

#[test]
fn plain_bcrypt_does_not_cut_long_passwords_off() {
    let stored = "bcrypt$$2b$12$abcdefghijklmnopqrstuO22.sGyCukOcWjdw97YJTf6z.9qOQpqm";
    let mut workspace = Workspace::default();
    let mut correct =
        |count| hashers(CHEAP_PBKDF2).verify(&"x".repeat(count), stored, &mut workspace).is_correct();
    assert!(correct(72));
    assert!(!correct(73));
}

fn attempted_password(vector: &Value, attempt: &str) -> String {
    let password = vector["password"].as_str().expect("text");
    match attempt {
        "right" => password.to_owned(),
        "wrong" => format!("{password}?"),
        "same first 72 bytes" => vector["other_password"].as_str().expect("text").to_owned(),
        unknown => panic!("no rule for the attempt {unknown}"),
    }
}

fn recorded_hashers(file: &Value, name: &str) -> Hashers {
    let accepted: Vec<_> =
        field(&file["hashers"], name).as_array().expect("a list").iter().map(algorithm_of_class).collect();
    let preferred = match accepted.first() {
        Some(Algorithm::Pbkdf2Sha256) => Preferred::DJANGO_PBKDF2,
        Some(Algorithm::Argon2) => Preferred::DJANGO_ARGON2,
        first => panic!("no rule for {first:?} as the first hasher"),
    };
    Hashers::new(preferred, &accepted, Limits::default()).expect("Django's parameters are valid")
}

fn algorithm_of_class(class: &Value) -> Algorithm {
    match class.as_str().and_then(|path| path.rsplit('.').next()) {
        Some("PBKDF2PasswordHasher") => Algorithm::Pbkdf2Sha256,
        Some("PBKDF2SHA1PasswordHasher") => Algorithm::Pbkdf2Sha1,
        Some("Argon2PasswordHasher") => Algorithm::Argon2,
        Some("BCryptSHA256PasswordHasher") => Algorithm::BcryptSha256,
        Some("ScryptPasswordHasher") => Algorithm::Scrypt,
        Some("BCryptPasswordHasher") => Algorithm::Bcrypt,
        Some("MD5PasswordHasher") => Algorithm::Md5,
        class => panic!("no rule for {class:?}"),
    }
}

fn recorded_answer(expected: &Value) -> (Option<bool>, Option<bool>) {
    (expected["correct"].as_bool(), expected["must_update"].as_bool())
}

fn attempts<'vector>(vector: &'vector Value, configuration: &str) -> &'vector Map<String, Value> {
    field(&vector["verify"], configuration).as_object().expect("an object")
}

fn field<'value>(object: &'value Value, name: &str) -> &'value Value {
    object.get(name).expect("recorded for every configuration")
}
