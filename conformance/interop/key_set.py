"""Our `/.well-known/jwks.json`, read by those who will read it: Simple JWT's `JWK_URL`, PyJWT's client, npm's jose."""

import json
import os
import subprocess
import time
from pathlib import Path

import jwt

from keys import damage, sign_otherwise, simple_jwt
from servers import Countersign, Django

# Simple JWT can be told of ES521, but in a key set it goes by its right name; jose never took either.
ALGORITHMS = [
    *["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    *["ES256", "ES384", "ES512", "ES256K", "EdDSA"],
]
# jose gave secp256k1 up in version 6.
JOSE = [algorithm for algorithm in ALGORITHMS if algorithm != "ES256K"]
SECONDS = 10  # a running server notices a change within about one


def ring_key_passes(check, directory, algorithm):
    with Countersign(directory) as ours:
        alice = ours.register("alice")
        jwks = _url(ours)
        first = ours.log_in("alice")
        made = ours.command("keys", "generate", "--algorithm", algorithm)
        check.holds("a new key waits", made["state"] == "next", made)
        check.holds("a new key is published before it signs", _soon(lambda: made["kid"] in _kids(ours)), _kids(ours))
        settings = {"ALGORITHM": algorithm, "JWK_URL": jwks}
        with Django(directory, ours.database, settings) as django:
            # Here PyJWT's client fetches the set, which it then keeps for minutes.
            check.answers("a token signed before is refused by Simple JWT", django.protected(first["access"]), 401)
            ours.command("keys", "rotate", "--now")
            signs = _soon(lambda: _kid(ours.refresh(first["refresh"])["access"]) == made["kid"])
            check.holds("the key signs after the rotation", signs, f"no access token carries {made['kid']}")
            login = ours.log_in("alice")
            _passes_simple_jwt(check, django, login["access"], alice, algorithm)
        _passes_pyjwt(check, jwks, login["access"], alice, algorithm)
        _passes_jose(check, jwks, login["access"], alice, algorithm)
        check.answers("our access token passes ours", ours.me(login["access"]), 200)
        check.answers(
            "our access token signed with another key is refused by us",
            ours.me(_forged(login["access"], algorithm)),
            401,
        )


def _passes_simple_jwt(check, django, access, user, algorithm):
    as_user = f'{{"kind":"User","id":"{user}"}}'
    check.answers("our access token passes JWTAuthentication by JWK_URL", django.protected(access), 200, as_user)
    stateless = f'{{"kind":"TokenUser","id":"{user}"}}'
    check.answers(
        "our access token passes JWTStatelessUserAuthentication by JWK_URL", django.stateless(access), 200, stateless
    )
    check.answers(
        "our access token passes TokenVerifyView by JWK_URL", django.post("/token/verify/", token=access), 200
    )
    for what, bad in [("damaged", damage(access)), ("signed with another key", _forged(access, algorithm))]:
        check.answers(f"our access token {what} is refused by JWTAuthentication", django.protected(bad), 401)
        check.answers(
            f"our access token {what} is refused by JWTStatelessUserAuthentication", django.stateless(bad), 401
        )


def _passes_pyjwt(check, jwks, access, user, algorithm):
    key = jwt.PyJWKClient(jwks).get_signing_key_from_jwt(access)
    check.holds("PyJWKClient finds the key with its algorithm", key.algorithm_name == algorithm, key.algorithm_name)
    check.holds(
        "PyJWT reads our access token with it", _pyjwt(access, key, algorithm) == user, _pyjwt(access, key, algorithm)
    )
    for what, bad in [("damaged", damage(access)), ("signed with another key", _forged(access, algorithm))]:
        said = _pyjwt(bad, key, algorithm)
        check.holds(f"PyJWT does not read it {what}", said == "InvalidSignatureError", said)


def _passes_jose(check, jwks, access, user, algorithm):
    said = jose(jwks, {"good": access, "damaged": damage(access), "forged": _forged(access, algorithm)})
    if algorithm not in JOSE:
        check.holds("jose does not take this algorithm", said["good"] == "ERR_JOSE_NOT_SUPPORTED", said)
        return
    check.holds("jose takes our access token", said["good"] == user, said)
    for bad in ["damaged", "forged"]:
        check.holds(f"jose does not take it {bad}", said[bad] == "ERR_JWS_SIGNATURE_VERIFICATION_FAILED", said)


def static_key_is_published(check, directory, algorithm):
    """A `SIGNING_KEY`: its tokens have no `kid`, as Simple JWT's have none, so a reader takes the one key there is."""
    with Countersign(directory, simple_jwt(algorithm)) as ours:
        alice = ours.register("alice")
        access = ours.log_in("alice")["access"]
        keys = jwt.PyJWKClient(_url(ours)).get_signing_keys()
        check.holds("SIGNING_KEY is the one that is published", len(keys) == 1, _kids(ours))
        said = _pyjwt(access, keys[0], algorithm)
        check.holds("PyJWT reads our access token with it", said == alice, said)
        said = _pyjwt(_forged(access, algorithm), keys[0], algorithm)
        check.holds("PyJWT does not read one signed with another", said == "InvalidSignatureError", said)
        _passes_jose(check, _url(ours), access, alice, algorithm)


def private_keys_stay_private(check, directory):
    with Countersign(directory, simple_jwt("RS256")) as ours:
        for algorithm in ["EdDSA", "ES256"]:
            ours.command("keys", "generate", "--algorithm", algorithm)
            ours.command("keys", "rotate", "--now")
        check.holds("all keys are published", _soon(lambda: len(_kids(ours)) == 3), _kids(ours))
        for key in _keys(ours):
            private = {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys()
            check.holds(f"the {key['kty']} key without its private part", not private, private)


def tokens_outlive_their_keys_turn(check, directory):
    algorithms = ["EdDSA", "ES256", "RS256", "PS384"]
    with Countersign(directory) as ours:
        alice = ours.register("alice")
        first = ours.log_in("alice")
        tokens = {}
        for algorithm in algorithms:
            made = ours.command("keys", "generate", "--algorithm", algorithm)
            ours.command("keys", "rotate", "--now")
            if not _soon(lambda kid=made["kid"]: _kid(ours.refresh(first["refresh"])["access"]) == kid):
                raise RuntimeError(f"the new {algorithm} key does not sign")
            tokens[algorithm] = ours.log_in("alice")["access"]
        client = jwt.PyJWKClient(_url(ours))
        said = jose(_url(ours), tokens)
        for algorithm, access in tokens.items():
            read = _pyjwt(access, client.get_signing_key_from_jwt(access), algorithm)
            check.holds(f"PyJWKClient knows the {algorithm} key after all rotations", read == alice, read)
            check.holds(f"so does jose know the {algorithm} key", said[algorithm] == alice, said)
            check.answers(f"so do we know the {algorithm} key", ours.me(access), 200)


def jose(jwks, tokens):
    """The `user_id` that npm's jose reads in each token, or the code of its error."""
    done = subprocess.run(
        ["node", Path(os.environ["INTEROP_INSTALLED"], "jose.mjs")],
        input=json.dumps({"jwks": jwks, "tokens": tokens}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        raise RuntimeError(f"jose.mjs failed: {done.stderr}")
    return json.loads(done.stdout)


def _pyjwt(token, key, algorithm):
    """The `user_id` that PyJWT reads, or the name of its error."""
    try:
        return jwt.decode(token, key, algorithms=[algorithm])["user_id"]
    except jwt.PyJWTError as error:
        return type(error).__name__


def _forged(token, algorithm):
    return sign_otherwise(token, algorithm)


def _url(ours):
    return f"{ours.url}/.well-known/jwks.json"


def _keys(ours):
    return ours.get("/.well-known/jwks.json")["keys"]


def _kids(ours):
    return [key["kid"] for key in _keys(ours)]


def _kid(token):
    return jwt.get_unverified_header(token).get("kid")


def _soon(holds):
    """Whether it comes true while a running server may be expected to have noticed."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False
