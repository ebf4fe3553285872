//! Tests of the published interface: recorded vectors, new hashes, equal work, limits, arbitrary input.

mod equal_work;
mod limits;
mod making;
mod properties;
mod refusals;
mod vectors;

use countersign_password::{Algorithm, Hashers, Limits, Preferred};
use serde_json::Value;

/// Milliseconds per hash are for the vectors; everything else uses parameters like these.
const CHEAP_PBKDF2: Preferred = Preferred::Pbkdf2Sha256 { iterations: 100 };
const CHEAP_ARGON2: Preferred = Preferred::Argon2id { memory_kib: 64, iterations: 2, parallelism: 1 };

fn hashers(preferred: Preferred) -> Hashers {
    Hashers::new(preferred, &Algorithm::ALL, Limits::default()).expect("the parameters are valid")
}

fn read_vectors(file: &str) -> Value {
    let path = format!("{}/../../conformance/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the vectors are part of the repository");
    serde_json::from_str(&text).expect("the vectors are JSON")
}
