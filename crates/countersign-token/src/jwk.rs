//! A public key as a JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037), and its thumbprint (RFC 7638).

use crate::Algorithm;
use crate::compact::encode;
use crate::json::{Object, object_to_compact};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RsaPublicKeyComponents, RsaSubjectPublicKey};

/// The members that make the key what it is, sorted by name.
pub(crate) struct PublicJwk(Object);

impl PublicJwk {
    /// The members of the algorithm's key in DER (SPKI, RFC 5280). HS* have none.
    pub(crate) fn from_spki(algorithm: Algorithm, spki: &[u8]) -> Option<Self> {
        let members = match KeyType::of(algorithm)? {
            KeyType::Rsa => {
                let key = RsaSubjectPublicKey::from_der(spki).ok()?;
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
                // The crypto library would refuse the size at each signature.
                if !(2048 / 8..=8192 / 8).contains(&n.len()) {
                    return None;
                }
                [("e", encode(&e)), ("kty", "RSA".to_owned()), ("n", encode(&n))].into_iter().collect()
            }
            KeyType::Ec(curve) => {
                let (x, y) = curve.coordinates(spki)?;
                let (crv, kty) = (curve.name.to_owned(), "EC".to_owned());
                [("crv", crv), ("kty", kty), ("x", encode(x)), ("y", encode(y))].into_iter().collect()
            }
            KeyType::Ed25519 => {
                let (crv, kty) = ("Ed25519".to_owned(), "OKP".to_owned());
                // The key ends the SPKI (RFC 8410 section 4).
                let x = encode(spki.last_chunk::<32>()?);
                [("crv", crv), ("kty", kty), ("x", x)].into_iter().collect()
            }
        };
        Some(Self(members))
    }

    pub(crate) fn members(&self) -> &Object {
        &self.0
    }

    /// The digest of the members (RFC 7638).
    pub(crate) fn thumbprint(&self) -> String {
        encode(digest(&SHA256, object_to_compact(&self.0).as_bytes()).as_ref())
    }
}

/// What kind of key an algorithm takes.
pub(crate) enum KeyType {
    Rsa,
    Ec(Curve),
    Ed25519,
}

/// An elliptic curve of RFC 7518 section 6.2.1.1 or RFC 8812.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    /// The length of each coordinate.
    bytes: usize,
}

impl KeyType {
    pub(crate) fn of(algorithm: Algorithm) -> Option<Self> {
        let curve = |name, bytes| Some(Self::Ec(Curve { name, bytes }));
        match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => Some(Self::Rsa),
            Algorithm::ES256 => curve("P-256", 32),
            Algorithm::ES384 => curve("P-384", 48),
            Algorithm::ES512 | Algorithm::ES521 => curve("P-521", 66),
            Algorithm::ES256K => curve("secp256k1", 32),
            Algorithm::EdDSA => Some(Self::Ed25519),
        }
    }
}

impl Curve {
    /// The uncompressed point of coordinates in their full length.
    pub(crate) fn point(&self, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
        (x.len() == self.bytes && y.len() == self.bytes).then(|| [&[4], x, y].concat())
    }

    /// The coordinates of the uncompressed point (SEC 1 section 2.3.3) that ends an SPKI (RFC 5480 section 2.2).
    fn coordinates<'a>(&self, spki: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let (_, point) = spki.split_at_checked(spki.len().checked_sub(2 * self.bytes + 1)?)?;
        point.strip_prefix(&[4])?.split_at_checked(self.bytes)
    }
}
