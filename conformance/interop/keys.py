"""Algorithms and their keys: Simple JWT's settings for each, and tokens signed with the right key or another."""

from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from servers import SECRET_KEY

KEYS = Path(__file__).parents[1] / "keys"
SECRET = ["HS256", "HS384", "HS512"]
# Each with a key of `conformance/keys`.
PAIRS = {
    "RS256": "rsa2048",
    "RS384": "rsa2048",
    "RS512": "rsa4096",
    "PS256": "rsa2048",
    "PS384": "rsa2048",
    "PS512": "rsa4096",
    "ES256": "p256",
    "ES384": "p384",
    "ES512": "p521",
    "ES521": "p521",  # what PyJWT once called ES512, and still takes
    "ES256K": "k256",
    "EdDSA": "ed25519",
}


def simple_jwt(algorithm):
    """The settings that both servers are given."""
    settings = {"ALGORITHM": algorithm}
    if algorithm in PAIRS:
        settings["SIGNING_KEY"] = (KEYS / f"{PAIRS[algorithm]}.pem").read_text()
        settings["VERIFYING_KEY"] = (KEYS / f"{PAIRS[algorithm]}.pub.pem").read_text()
    return settings


def sign_again(token, algorithm):
    """The same claims, signed by PyJWT with the same key."""
    return _sign(token, simple_jwt(algorithm).get("SIGNING_KEY", SECRET_KEY), algorithm)


def sign_otherwise(token, algorithm):
    """The same header and claims, signed with another key of the same kind."""
    return _sign(token, _other_key(algorithm), algorithm)


def _sign(token, key, algorithm):
    kid = jwt.get_unverified_header(token).get("kid")
    return jwt.encode(claims(token), key, algorithm, headers={"kid": kid} if kid else None)


def _other_key(algorithm):
    if algorithm in SECRET:
        return SECRET_KEY[::-1]
    if PAIRS[algorithm].startswith("rsa"):
        return (KEYS / "rsa2048b.pem").read_text()
    key = load_pem_public_key((KEYS / f"{PAIRS[algorithm]}.pub.pem").read_bytes())
    return ec.generate_private_key(key.curve) if hasattr(key, "curve") else Ed25519PrivateKey.generate()


def claims(token):
    """What a token says, whoever signed it."""
    return jwt.decode(token, options={"verify_signature": False})


def damage(token):
    """The token with a few bits of its signature changed."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
