//! Stored hashes, as an import or whoever got at the database may bring them: none is right for a password that it was
//! not made of, and none takes more work or memory than the limits say. The limits are small here, and counted in the
//! same way as those that serve.
#![no_main]

use std::sync::LazyLock;

use countersign_fuzz::split_at;
use countersign_password::{Algorithm, Hashers, Limits, Preferred, Workspace, fingerprint};
use libfuzzer_sys::fuzz_target;

/// The most that one of the limits below lets a hash do, in the units of `Workspace::work`.
const MOST: u64 = 128;

fn hashers(limits: Limits) -> Hashers {
    Hashers::new(Preferred::Pbkdf2Sha256 { iterations: 3 }, &Algorithm::ALL, limits).expect("valid")
}

static TINY: LazyLock<Hashers> = LazyLock::new(|| {
    hashers(Limits {
        length: 400,
        pbkdf2_iterations: 50,
        argon2_memory_kib: 64,
        argon2_work_kib: MOST,
        scrypt_memory_kib: 64,
        scrypt_work_kib: MOST,
        bcrypt_cost: 4,
    })
});
static USUAL: LazyLock<Hashers> = LazyLock::new(|| hashers(Limits::default()));

fuzz_target!(|data: &[u8]| {
    let (password, stored) = split_at(data, b'\n');
    let (Ok(password), Ok(stored)) = (std::str::from_utf8(password), std::str::from_utf8(stored)) else {
        return;
    };
    // Seeds are hashes of `password`.
    let password = if password == "password" { "another" } else { password };
    let mut workspace = Workspace::default();
    let verdict = TINY.verify(password, stored, &mut workspace);
    assert_eq!(verdict.must_update, TINY.needs_update(stored));
    // Its own, and what every refusal is made to cost.
    let most = MOST + TINY.work_of_a_refusal().map(|(_, work)| work).sum::<u64>();
    assert!(workspace.work() <= most, "{} for {stored}", workspace.work());
    assert!(workspace.memory_kib() <= 64, "{} KiB for {stored}", workspace.memory_kib());
    let _ = (TINY.recognise(stored), fingerprint(stored));
    // Those that serve do not hash here, but say what they would take.
    let asked = USUAL.memory_kib(Some(stored));
    assert!(asked <= USUAL.max_memory_kib(), "{asked} KiB for {stored}");
});
