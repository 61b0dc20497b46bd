"""API keys: random secrets of which only the hash is stored."""

import secrets
import time
from collections.abc import Collection
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import RowMapping, insert, select, update

from pipeline.clock import Clock, wall_clock_ms
from pipeline.errors import MisuseError
from pipeline.serve.model.store import Store
from pipeline.serve.model.tables import api_keys

PREFIX: Final = "slk_"
SECRET_BYTES: Final = 24
READ: Final = "read"
READ_PII: Final = "read:pii"
WRITE: Final = "write"
SCOPES: Final = (READ, READ_PII, WRITE)
DEFAULT_REQUESTS_PER_MINUTE: Final = 6_000
CACHE_SECONDS: Final = 2.0
"""A revoked key is refused everywhere after this time at the latest."""


class KeyRefusedError(MisuseError, ValueError):
    """The key cannot be made or found. Operator action: ``str(error)`` states what to write."""


class ApiKey(msgspec.Struct, frozen=True):
    """A key without its secret."""

    key_id: str
    name: str
    tenant: str
    scopes: tuple[str, ...]
    requests_per_minute: int
    """0: no limit."""
    created_ms: int
    revoked_ms: int = 0
    """0 while the key is valid."""


class ApiKeys:
    """The keys in the database. Thread-safe."""

    def __init__(self, store: Store, clock: Clock = wall_clock_ms) -> None:
        self._store, self._clock = store, clock
        self._cached: dict[str, tuple[float, ApiKey | None]] = {}

    def add(
        self,
        name: str,
        *,
        tenant: str = "default",
        scopes: Collection[str] = (READ,),
        requests_per_minute: int = DEFAULT_REQUESTS_PER_MINUTE,
    ) -> tuple[ApiKey, str]:
        """Returns a new key and its secret, which is not stored.

        Raises:
            KeyRefusedError: a scope does not exist, or a valid key has this name.
        """
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            message = f"{', '.join(unknown) or 'no scope'}: the scopes are {', '.join(SCOPES)}"
            raise KeyRefusedError(message)
        if any(key.name == name and not key.revoked_ms for key in self.all()):
            message = f"a key named {name} is valid: revoke it first, or write another name"
            raise KeyRefusedError(message)
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        key = ApiKey(
            key_id=secrets.token_hex(4),
            name=name,
            tenant=tenant,
            scopes=tuple(scope for scope in SCOPES if scope in scopes),
            requests_per_minute=requests_per_minute,
            created_ms=self._clock(),
        )
        row = msgspec.structs.asdict(key) | {"scopes": " ".join(key.scopes), "hash": hash_of(secret)}
        with self._store.writing() as connection:
            connection.execute(insert(api_keys).values(row))
        return key, secret

    def all(self) -> list[ApiKey]:
        """Returns every key, oldest first."""
        with self._store.reading() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_ms, api_keys.c.key_id)).mappings()
            return [_key_of(row) for row in rows]

    def revoke(self, name_or_id: str) -> ApiKey:
        """Revokes a valid key.

        Raises:
            KeyRefusedError: no valid key has this name or id.
        """
        for key in self.all():
            if name_or_id in {key.name, key.key_id} and not key.revoked_ms:
                revoked_ms = self._clock()
                with self._store.writing() as connection:
                    change = update(api_keys).where(api_keys.c.key_id == key.key_id)
                    connection.execute(change.values(revoked_ms=revoked_ms))
                return msgspec.structs.replace(key, revoked_ms=revoked_ms)
        message = f"no valid key is named {name_or_id}: see stitchline serve keys ls"
        raise KeyRefusedError(message)

    def find(self, secret: str) -> ApiKey | None:
        """Returns the valid key of a secret, or None. May be ``CACHE_SECONDS`` late."""
        digest, now = hash_of(secret), time.monotonic()
        cached = self._cached.get(digest)
        if cached is not None and cached[0] > now:
            return cached[1]
        with self._store.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.hash == digest)).mappings().first()
        key = None if row is None else _key_of(row)
        if key is None or key.revoked_ms:
            self._cached.pop(digest, None)  # guessed secrets must not fill the memory
            return None
        self._cached[digest] = (now + CACHE_SECONDS, key)
        return key


def hash_of(secret: str) -> str:
    """Returns the stored hash. Secrets have 192 random bits, so that a plain hash cannot be reversed."""
    return sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _key_of(row: RowMapping) -> ApiKey:
    known = {name: row[name] for name in ApiKey.__struct_fields__}
    return ApiKey(**known | {"scopes": tuple(row["scopes"].split())})
