"""A FastAPI API that takes Countersign's access tokens. It asks nobody, and needs no database.

    JWKS_URL=http://127.0.0.1:8000/.well-known/jwks.json uvicorn with_fastapi:app
"""

import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

AUDIENCE = os.environ.get("TOKEN_AUDIENCE")

if url := os.environ.get("JWKS_URL"):
    # By public keys. What the token itself says of its algorithm does not count, ALGORITHM does.
    ALGORITHM = os.environ.get("TOKEN_ALGORITHM", "EdDSA")
    key_for = jwt.PyJWKClient(url).get_signing_key_from_jwt
else:
    # By Countersign's SECRET_KEY. Whoever has it can be any user: then this service can, too.
    ALGORITHM = "HS256"
    secret = os.environ["TOKEN_SECRET"]

    def key_for(_token):
        return secret


def claims(sent: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict:
    """What the token says. Not `async`: to fetch the keys blocks, and so it does in a thread of its own."""
    try:
        found = jwt.decode(
            sent.credentials,
            key_for(sent.credentials),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["exp", "user_id", "token_type"]},
        )
    except jwt.PyJWKClientConnectionError as error:
        # An outage is no reason to log anybody out.
        raise HTTPException(503, "The keys cannot be fetched", {"Retry-After": "2"}) from error
    except jwt.PyJWTError:
        found = {}
    # A refresh token is signed with the same key, and good for longer.
    if found.get("token_type") != "access":
        raise HTTPException(401, "Token is invalid", {"WWW-Authenticate": "Bearer"})
    return found


app = FastAPI()


@app.get("/orders/")
def orders(token: Annotated[dict, Depends(claims)]):
    return {"user": token["user_id"], "orders": []}
