"""Write keys: generated, stored as a hash, and found in the places where SDKs send them."""

import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache
from hashlib import sha256
from typing import Final

from connectors.collect.request import Request

KEY_BYTES: Final = 24
PREFIX: Final = "wk_"
MAX_KEY_CHARS: Final = 256
HASH_PREFIX: Final = "sha256:"
QUERY_FIELDS: Final = ("writeKey", "write_key", "api_key", "token")


def new_key() -> str:
    """Returns a random write key of 192 bits."""
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


def hash_of(key: str) -> str:
    """Returns the hash that ``sources.yaml`` holds. Keys are random, so that a plain hash cannot be reversed."""
    return HASH_PREFIX + sha256(key.encode()).hexdigest()


def key_in_head(request: Request) -> str:
    """Returns the write key in the headers or the query; "" if there is none.

    Places in this order: the user of Basic, Bearer, ``X-Write-Key`` (before a colon), the query.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _basic_user(credentials[: 4 * MAX_KEY_CHARS])
    if scheme.lower() == "bearer":
        return credentials.strip()[:MAX_KEY_CHARS]
    if key := request.headers.get("x-write-key", ""):
        return key.partition(":")[0][:MAX_KEY_CHARS]
    if request.query_string:
        for name in QUERY_FIELDS:
            if key := request.query.get(name, ""):
                return key[:MAX_KEY_CHARS]
    return ""


@lru_cache(maxsize=1024)
def _basic_user(credentials: str) -> str:
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[0]
    except (Base64Error, UnicodeDecodeError):
        return ""
