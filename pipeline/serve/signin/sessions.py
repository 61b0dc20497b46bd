"""Sessions on the server: a random token in a cookie, its hash in the database, an end that the browser cannot move."""

import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

from sqlalchemy import Engine, Row, delete, insert, or_, select, update

from pipeline.clock import Clock
from pipeline.serve.signin.tables import SESSIONS, USERS
from pipeline.serve.signin.users import User, user_of

HOUR_MS: Final = 3_600_000
IDLE_MS: Final = HOUR_MS
"""A session without a request for so long is over."""
LIFETIME_MS: Final = 12 * HOUR_MS
"""A session is over after a working day, however busy it is."""
NOTE_USE_MS: Final = 60_000
"""A use is noted at most this often: a page that polls must not write at every request."""
TOKEN_BYTES: Final = 32


class Session(NamedTuple):
    """An open session."""

    user: User
    csrf_token: str
    token_hash: str

    def accepts(self, csrf_token: str) -> bool:
        """Returns whether a form carries this session's token. Takes equally long for every wrong one."""
        return hmac.compare_digest(self.csrf_token.encode(), csrf_token.encode(errors="replace"))


class Sessions:
    """The sessions of one deployment; several API processes share them through the database."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def open(self, user: User) -> str:
        """Opens a session and returns its token, which is stored nowhere. Deletes sessions that are over."""
        token, now_ms = secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        row = {
            "token_hash": _hash_of(token), "user_name": user.name, "csrf_token": secrets.token_urlsafe(TOKEN_BYTES),
            "created_ms": now_ms, "used_ms": now_ms,
        }  # fmt: skip
        over = or_(SESSIONS.c.created_ms <= now_ms - LIFETIME_MS, SESSIONS.c.used_ms <= now_ms - IDLE_MS)
        with self._engine.begin() as connection:
            connection.execute(delete(SESSIONS).where(over))
            connection.execute(insert(SESSIONS).values(row))
        return token

    def find(self, token: str) -> Session | None:
        """Returns the open session of a token, or None.

        None too if the user is gone or was changed since: the role of a session is the stored one, never a copy.
        """
        if not token:
            return None
        token_hash, now_ms = _hash_of(token), self._clock()
        joined = SESSIONS.join(USERS, SESSIONS.c.user_name == USERS.c.name)
        wanted = (
            select(SESSIONS, USERS.c.name, USERS.c.tenant, USERS.c.role, USERS.c.changed_ms, USERS.c.password_hash)
            .select_from(joined)
            .where(SESSIONS.c.token_hash == token_hash)
        )
        with self._engine.connect() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None or not _is_open(row, now_ms):
            return None
        if now_ms - row.used_ms >= NOTE_USE_MS:
            with self._engine.begin() as connection:
                connection.execute(update(SESSIONS).where(SESSIONS.c.token_hash == token_hash).values(used_ms=now_ms))
        return Session(user_of(row), row.csrf_token, token_hash)

    def close(self, session: Session) -> None:
        """Ends a session."""
        with self._engine.begin() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.token_hash == session.token_hash))


def _is_open(row: Row[tuple[object, ...]], now_ms: int) -> bool:
    young = now_ms - row.created_ms < LIFETIME_MS and now_ms - row.used_ms < IDLE_MS
    return bool(young and row.created_ms >= row.changed_ms)


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
