//! Bare hashing, on as many threads as Countersign has workers: the ceiling for logins and registrations.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use argon2::Argon2;
use countersign_password::{Hashers, Limits, Preferred, Salt, Workspace};

const MEMORY_KIB: u32 = 19456;
const ITERATIONS: u32 = 2;
const PARALLELISM: u32 = 1;
const PASSWORD: &str = "correct horse battery staple";

/// Hashes a second of all cores together: `ours`, as `countersign-password` makes them, or `fresh`, as the argon2 crate
/// does when it is left to find its own memory for each.
pub fn per_second(which: &str, time: Duration) -> Result<f64, Box<dyn Error>> {
    let count: fn(Duration) -> Result<u32, String> = match which {
        "ours" => ours,
        "fresh" => fresh,
        other => return Err(format!("{other} is no implementation: ours or fresh").into()),
    };
    let cores = thread::available_parallelism()?.get();
    let began = Instant::now();
    let counts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(move || count(time))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Err("a thread panicked".into()))).collect()
    });
    let mut hashes = 0;
    for count in counts {
        hashes += count?;
    }
    Ok(f64::from(hashes) / began.elapsed().as_secs_f64())
}

fn ours(time: Duration) -> Result<u32, String> {
    let preferred =
        Preferred::Argon2id { memory_kib: MEMORY_KIB, iterations: ITERATIONS, parallelism: PARALLELISM };
    let hashers = Hashers::new(preferred, &[], Limits::default()).map_err(|error| error.to_string())?;
    let mut workspace = Workspace::default();
    let salt = Salt::from_random([7; 32]);
    Ok(repeat(time, || drop(hashers.make(PASSWORD, &salt, &mut workspace))))
}

fn fresh(time: Duration) -> Result<u32, String> {
    let params = argon2::Params::new(MEMORY_KIB, ITERATIONS, PARALLELISM, Some(32))
        .map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut output = [0; 32];
    Ok(repeat(time, || {
        argon2
            .hash_password_into(PASSWORD.as_bytes(), &[7; 22], &mut output)
            .expect("the parameters are sound");
    }))
}

fn repeat(time: Duration, mut hash: impl FnMut()) -> u32 {
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < time {
        hash();
        count += 1;
    }
    count
}
