//! JSON Web Tokens as Simple JWT makes and reads them: keys, algorithms, mint, verify, JWK sets.
//!
//! Useful on its own: a Rust service that is handed access tokens of Countersign, or of a Django service with
//! Simple JWT, verifies them with a [`Verifier`], and refuses exactly the tokens the original refuses.
//!
//! # With a shared secret
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
//! # With public keys
//!
//! Whoever can verify with a secret can also sign. With a key pair only one service can: it publishes its public keys
//! as a JWK set (RFC 7517), and its tokens say in `kid` which of them is theirs, so that keys can be exchanged.
//!
//! ```
//! use countersign_token::{Algorithm, Keys, Kind, Settings, SigningKey, Tokens, Verifier, VerifyingKey, parse_jwks};
//!
//! # let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse()?;
//! // One service signs with its newest key; what the key before signed stays good.
//! let newest = SigningKey::generate_pem(Algorithm::EdDSA)?;
//! let before = SigningKey::generate_pem(Algorithm::EdDSA)?;
//! let before = VerifyingKey::new(Algorithm::EdDSA, before.as_bytes())?.named();
//! let keys = Keys::named(Algorithm::EdDSA, newest.as_bytes())?.also_verifying(before);
//! let tokens = Tokens::new(Settings::default(), keys);
//! # let refresh = tokens.refresh_for("7", None, "3d5f0b1c2a9e4f60b8c7d6e5f4a39281", now);
//! # let access = tokens.encode(&tokens.access_from(&refresh, "0a1b2c3d4e5f60718293a4b5c6d7e8f9", now));
//! let published = tokens.jwks();
//!
//! // Another fetches its keys, and verifies.
//! let verifier = Verifier::new(Settings::default(), parse_jwks(&published)?);
//! let claims = verifier.decode(&access, now)?;
//! verifier.check(&claims, Kind::Access, now)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! When a token comes for which there is no key ([`Verifier::has_key_for`]), it is time to fetch the set again.
//!
//! # In axum, tonic and others
//!
//! With the feature `tower`, `BearerLayer` does all this for a service: a request with a good access token goes
//! through with its [`Claims`] in the extensions, another gets the answer Simple JWT gives. The example
//! `resource-server` is a whole service, which fetches its keys.
//!
//! # What it leaves to you
//!
//! The crate does no I/O, reads no clock and makes no random numbers: the time and each new token's `jti` are
//! arguments (generated keys, seals and randomised signatures draw on the crypto library's own source). Whether a
//! token was blacklisted is for the caller to look up between [`Verifier::decode`] and [`Verifier::check`].
//!
//! # Fidelity
//!
//! Behaviour is that of Simple JWT 5.5.1 with `PyJWT` 2.15.1. Where those crash on a correctly signed but absurd
//! token (an `exp` beyond the year 9999, a refresh token without `jti`) this crate refuses it. Two things they do
//! are not done: Ed448 keys, and token text encoded with lone surrogates in its bytes (not as escapes).

mod algorithm;
#[cfg(feature = "tower")]
mod bearer;
mod claims;
mod compact;
mod derived;
pub mod json;
mod jwk;
mod jwks;
mod keys;
mod mac;
mod mint;
mod pem;
mod refresh_id;
mod refusal;
mod seal;
mod settings;
mod signing_key;
mod verify;
mod verifying_key;

pub use algorithm::Algorithm;
#[cfg(feature = "tower")]
pub use bearer::{Bearer, BearerFuture, BearerLayer};
pub use claims::{Claims, UserIdClaim};
pub use jwks::{JwksError, parse_jwks};
pub use keys::{KeyError, Keys};
pub use mac::Mac;
pub use mint::Tokens;
pub use refresh_id::{generation_of, refresh_jti, session_of};
pub use refusal::Refusal;
pub use seal::Seal;
pub use settings::{Audience, Kind, Settings};
pub use signing_key::SigningKey;
pub use verify::Verifier;
pub use verifying_key::VerifyingKey;
