//! JSON Web Tokens as Simple JWT makes and reads them: keys, algorithms, mint, verify.
//!
//! Useful on its own: a Rust service that is handed access tokens of Countersign, or of a Django service with
//! Simple JWT, verifies them with a [`Verifier`], and refuses exactly the tokens the original refuses.
//!
//! ```
//! use countersign_token::{Algorithm, Keys, Kind, Settings, Tokens, Verifier, VerifyingKey};
//!
//! let secret = b"a secret that both services know, long enough";
//! let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse()?;
//!
//! // One service mints (its jti come from a random source of its own) ...
//! let tokens = Tokens::new(Settings::default(), Keys::new(Algorithm::HS256, secret, b"")?);
//! let refresh = tokens.refresh_for("7", None, "3d5f0b1c2a9e4f60b8c7d6e5f4a39281", now);
//! let access = tokens.encode(&tokens.access_from(&refresh, "0a1b2c3d4e5f60718293a4b5c6d7e8f9", now));
//!
//! // ... another verifies.
//! let verifier = Verifier::new(Settings::default(), vec![VerifyingKey::new(Algorithm::HS256, secret)?]);
//! let claims = verifier.decode(&access, now)?;
//! verifier.check(&claims, Kind::Access, now)?;
//! assert_eq!(claims.get("user_id").and_then(|id| id.as_str()), Some("7"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate does no I/O, reads no clock and makes no random numbers: the time and each new token's `jti` are
//! arguments (generated keys, seals and randomised signatures draw on the crypto library's own source). Whether a
//! token was blacklisted is for the caller to look up between [`Verifier::decode`] and [`Verifier::check`].
//!
//! Behaviour is that of Simple JWT 5.5.1 with `PyJWT` 2.15.1. Where those crash on a correctly signed but absurd
//! token (an `exp` beyond the year 9999, a refresh token without `jti`) this crate refuses it. Two things they do
//! are not done: Ed448 keys, and token text encoded with lone surrogates in its bytes (not as escapes).

mod algorithm;
mod claims;
mod compact;
pub mod json;
mod jwk;
mod jwks;
mod keys;
mod mint;
mod pem;
mod refusal;
mod seal;
mod settings;
mod signing_key;
mod verify;
mod verifying_key;

pub use algorithm::Algorithm;
pub use claims::{Claims, UserIdClaim};
pub use jwks::{JwksError, parse_jwks};
pub use keys::{KeyError, Keys};
pub use mint::Tokens;
pub use refusal::Refusal;
pub use seal::Seal;
pub use settings::{Audience, Kind, Settings};
pub use signing_key::SigningKey;
pub use verify::Verifier;
pub use verifying_key::VerifyingKey;
