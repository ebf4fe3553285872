//! Signatures of JSON Web Tokens, made and checked apart from the program's own code.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use aws_lc_rs::{error::KeyRejected, hmac};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Signs `data` as `algorithm` (RFC 7518, RFC 8037) with a secret, or a private key as PKCS #8 PEM.
pub fn sign(algorithm: &str, key: &str, data: &[u8]) -> Result<Vec<u8>, String> {
    if algorithm == "none" {
        return Ok(Vec::new());
    }
    if let Some(digest) = hmac_digest(algorithm) {
        return Ok(hmac::sign(&hmac::Key::new(digest, key.as_bytes()), data).as_ref().to_vec());
    }
    let key = pem_contents(key)?;
    let rejected = |error: KeyRejected| format!("{algorithm} key: {error}");
    let refused = |error| format!("cannot sign with {algorithm}: {error}");
    let random = SystemRandom::new();
    if let Some(encoding) = rsa_encoding(algorithm) {
        let pair = RsaKeyPair::from_pkcs8(&key).map_err(rejected)?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &random, data, &mut signature).map_err(refused)?;
        return Ok(signature);
    }
    if let Some(curve) = ecdsa_signing(algorithm) {
        let pair = EcdsaKeyPair::from_pkcs8(curve, &key).map_err(rejected)?;
        return Ok(pair.sign(&random, data).map_err(refused)?.as_ref().to_vec());
    }
    if algorithm == "EdDSA" {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).map_err(rejected)?;
        return Ok(pair.sign(data).as_ref().to_vec());
    }
    Err(format!("cannot sign with {algorithm}"))
}

/// Whether `signature` over `data` is good; `key` is a secret, or a public key as PEM.
pub fn is_valid(algorithm: &str, key: &str, data: &[u8], signature: &[u8]) -> Result<bool, String> {
    if let Some(digest) = hmac_digest(algorithm) {
        return Ok(hmac::verify(&hmac::Key::new(digest, key.as_bytes()), data, signature).is_ok());
    }
    let verification = verification(algorithm).ok_or_else(|| format!("cannot verify {algorithm}"))?;
    let key = UnparsedPublicKey::new(verification, pem_contents(key)?);
    Ok(key.verify(data, signature).is_ok())
}

/// The text of `conformance/keys/NAME.pem`.
pub fn key_text(name: &str) -> Result<String, String> {
    let path = conformance_directory().join("keys").join(format!("{name}.pem"));
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The directory `conformance` of the repository.
pub fn conformance_directory() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance")).to_owned()
}

fn pem_contents(pem: &str) -> Result<Vec<u8>, String> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    BASE64_STANDARD.decode(base64).map_err(|error| format!("not a PEM key: {error}"))
}

fn hmac_digest(algorithm: &str) -> Option<hmac::Algorithm> {
    match algorithm {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn rsa_encoding(algorithm: &str) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        "RS256" => Some(&signature::RSA_PKCS1_SHA256),
        "RS384" => Some(&signature::RSA_PKCS1_SHA384),
        "RS512" => Some(&signature::RSA_PKCS1_SHA512),
        "PS256" => Some(&signature::RSA_PSS_SHA256),
        "PS384" => Some(&signature::RSA_PSS_SHA384),
        "PS512" => Some(&signature::RSA_PSS_SHA512),
        _ => None,
    }
}

fn ecdsa_signing(algorithm: &str) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        "ES256" => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        "ES256K" => Some(&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        "ES384" => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        "ES512" => Some(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => None,
    }
}

fn verification(algorithm: &str) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        "RS256" => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Some(&signature::RSA_PSS_2048_8192_SHA256),
        "PS384" => Some(&signature::RSA_PSS_2048_8192_SHA384),
        "PS512" => Some(&signature::RSA_PSS_2048_8192_SHA512),
        "ES256" => Some(&signature::ECDSA_P256_SHA256_FIXED),
        "ES256K" => Some(&signature::ECDSA_P256K1_SHA256_FIXED),
        "ES384" => Some(&signature::ECDSA_P384_SHA384_FIXED),
        "ES512" => Some(&signature::ECDSA_P521_SHA512_FIXED),
        "EdDSA" => Some(&signature::ED25519),
        _ => None,
    }
}

#[test]
fn every_algorithm_verifies_what_it_signed_and_nothing_else() {
    let pairs = [
        ("RS256", "rsa2048"),
        ("RS384", "rsa2048"),
        ("RS512", "rsa4096"),
        ("PS256", "rsa2048"),
        ("PS384", "rsa4096"),
        ("PS512", "rsa2048"),
        ("ES256", "p256"),
        ("ES256K", "k256"),
        ("ES384", "p384"),
        ("ES512", "p521"),
        ("EdDSA", "ed25519"),
    ];
    for (algorithm, name) in pairs {
        let signature = sign(algorithm, &key_text(name).unwrap(), b"text").unwrap();
        let public = key_text(&format!("{name}.pub")).unwrap();
        assert_eq!(is_valid(algorithm, &public, b"text", &signature), Ok(true), "{algorithm}");
        assert_eq!(is_valid(algorithm, &public, b"test", &signature), Ok(false), "{algorithm}");
    }
    for algorithm in ["HS256", "HS384", "HS512"] {
        let signature = sign(algorithm, "secret", b"text").unwrap();
        assert_eq!(is_valid(algorithm, "secret", b"text", &signature), Ok(true));
        assert_eq!(is_valid(algorithm, "sacred", b"text", &signature), Ok(false));
    }
}
