//! Django password-hash strings: parse, verify, make, needs-update.
//!
//! Reads every hash string that Django 5.2's built-in hashers write, decides as Django does whether a
//! password is right and whether its hash should be replaced, and writes new ones that Django reads
//! back. It does no I/O and has neither clock nor randomness of its own: the salt is an argument.
//! Parameters come from stored text, so [`Limits`] bound what one string may cost before any work starts.
//!
//! Whatever is refused (unknown user, wrong password, unusable, foreign, malformed or too costly string) takes the same
//! work, so that the time of an answer does not tell which users exist; with hashes of several kinds in one table,
//! [`Hashers::knowing`] has it be that of all that are common. Where Django raises an exception on a
//! malformed hash, this crate answers with a [`Refusal`].
//!
//! ```
//! use countersign_password::{Algorithm, Hashers, Limits, Outcome, Preferred, Salt, Workspace};
//!
//! let preferred = Preferred::Argon2id { memory_kib: 64, iterations: 1, parallelism: 1 };
//! let hashers = Hashers::new(preferred, &Algorithm::DJANGO_DEFAULT, Limits::default())?;
//! let mut workspace = Workspace::default();
//!
//! // 32 bytes from the operating system's generator, in a real program.
//! let salt = Salt::from_random([7; 32]);
//! let stored = hashers.make("correct horse", &salt, &mut workspace);
//! assert!(stored.starts_with("argon2$argon2id$v=19$m=64,t=1,p=1$"));
//! assert!(hashers.verify("correct horse", &stored, &mut workspace).is_correct());
//!
//! // A hash of another algorithm is verified too, and reported as due for replacement.
//! let old = "pbkdf2_sha1$1000$AbCdEfGhIjKlMnOpQrStUv$czliNz2YGCcNL7hQTU3AdyTuQxs=";
//! let verdict = hashers.verify("yourpassword", old, &mut workspace);
//! assert_eq!((verdict.outcome, verdict.must_update), (Outcome::Correct, true));
//! # Ok::<(), countersign_password::InvalidPreferred>(())
//! ```

mod algorithm;
mod common;
mod fingerprint;
mod hashers;
mod limits;
mod method;
mod preferred;
mod salt;
mod stored;
mod workspace;

pub use algorithm::Algorithm;
pub use fingerprint::fingerprint;
pub use hashers::{Hashers, Outcome, Verdict};
pub use limits::Limits;
pub use preferred::{InvalidPreferred, Preferred};
pub use salt::Salt;
pub use stored::Refusal;
pub use workspace::Workspace;
