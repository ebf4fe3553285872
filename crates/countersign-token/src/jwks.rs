//! A JWK set (RFC 7517 section 5): writing the keys that verify our tokens, and reading those of another issuer.

use crate::json::{Object, Value, object_to_compact, parse};
use crate::jwk::KeyType;
use crate::{Algorithm, VerifyingKey};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Why a text is not taken as a set of keys to verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// No JSON, or JSON of another form.
    #[error("the text is not a JWK set: a JSON object with a list of keys under \"keys\"")]
    NotAJwkSet,
    /// A private key where only public ones belong: it is no secret any more, and must be exchanged.
    #[error("key {0} of the JWK set is a private key: whoever can read the set can sign tokens")]
    PrivateKey(usize),
}

/// The asymmetric keys as a JWK set; secrets are left out.
pub(crate) fn written(keys: &[VerifyingKey]) -> String {
    let keys: Vec<Value> = keys.iter().filter_map(entry).map(Value::from).collect();
    let set = Object::from_iter([("keys", Value::from(keys))]);
    object_to_compact(&set)
}

fn entry(key: &VerifyingKey) -> Option<Object> {
    let jwk = key.jwk()?;
    // ES521 is a name of PyJWT's own, which no other reader knows.
    let alg = if key.algorithm() == Algorithm::ES521 { Algorithm::ES512 } else { key.algorithm() };
    let kid = jwk.thumbprint();
    let about = [("use", "sig"), ("alg", alg.name()), ("kid", &kid)];
    let mut entry = jwk.members().clone();
    for (name, value) in about {
        entry.insert(name, value);
    }
    Some(entry)
}

/// Reads a JWK set to verify with, such as the one behind an issuer's `jwks_uri`.
///
/// As RFC 7517 section 5 asks, keys that are not understood are passed over: of an unknown `kty`, `crv` or `alg`, for
/// another `use`, with missing or malformed members, of a size that is not supported. Shared secrets (`oct`) are
/// passed over too: what stands in a document is none. A private key is an error, even beside good ones.
///
/// Without `alg`, an elliptic curve tells it, and an RSA key is taken for RS256. Each key is named by its `kid`, if it
/// has one.
pub fn parse_jwks(text: &str) -> Result<Vec<VerifyingKey>, JwksError> {
    let Ok(Value::Object(set)) = parse(text) else { return Err(JwksError::NotAJwkSet) };
    let Some(Value::Array(entries)) = set.get("keys") else { return Err(JwksError::NotAJwkSet) };
    let mut keys = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let Value::Object(jwk) = entry else { return Err(JwksError::NotAJwkSet) };
        if jwk.contains_key("d") {
            return Err(JwksError::PrivateKey(index + 1));
        }
        keys.extend(verifying_key(jwk));
    }
    Ok(keys)
}

fn verifying_key(jwk: &Object) -> Option<VerifyingKey> {
    let kid = match jwk.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str()?),
    };
    if !is_to_verify(jwk) {
        return None;
    }
    let algorithm = algorithm(jwk)?;
    let bytes = match KeyType::of(algorithm)? {
        KeyType::Rsa => {
            let components = RsaPublicKeyComponents { n: bytes(jwk, "n")?, e: bytes(jwk, "e")? };
            components.as_der().ok()?.as_ref().to_vec()
        }
        KeyType::Ec(curve) => curve.point(&bytes(jwk, "x")?, &bytes(jwk, "y")?)?,
        KeyType::Ed25519 => bytes(jwk, "x").filter(|x| x.len() == 32)?,
    };
    Some(VerifyingKey::from_public_bytes(algorithm, &bytes).ok()?.with_kid(kid))
}

/// Whether neither `use` nor `key_ops` (RFC 7517 sections 4.2 and 4.3) keep it for something else.
fn is_to_verify(jwk: &Object) -> bool {
    let verifies = |operations: &Value| match operations {
        Value::Array(names) => names.iter().any(|name| name.as_str() == Some("verify")),
        _ => false,
    };
    jwk.get("use").is_none_or(|purpose| purpose.as_str() == Some("sig"))
        && jwk.get("key_ops").is_none_or(verifies)
}

/// The algorithm, if the key is of its type and curve.
fn algorithm(jwk: &Object) -> Option<Algorithm> {
    let kty = jwk.get("kty")?.as_str()?;
    let crv = jwk.get("crv").and_then(Value::as_str);
    let fits = |algorithm: &Algorithm| match KeyType::of(*algorithm) {
        None => false,
        Some(KeyType::Rsa) => kty == "RSA",
        Some(KeyType::Ec(curve)) => kty == "EC" && crv == Some(curve.name),
        Some(KeyType::Ed25519) => kty == "OKP" && crv == Some("Ed25519"),
    };
    match jwk.get("alg") {
        Some(name) => Algorithm::from_name(name.as_str()?).filter(fits),
        // The first that fits is RS256, and ES512 under its right name.
        None => Algorithm::ALL.into_iter().find(fits),
    }
}

/// A member in base64url without padding (RFC 7515 section 2).
fn bytes(jwk: &Object, name: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}
