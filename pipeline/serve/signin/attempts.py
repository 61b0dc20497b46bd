"""The limit on sign-in attempts, counted in the database, so that several processes and restarts share it.

Three windows count at once: one name from one address (guessing a password), one address (trying many names), and one
name from everywhere (many addresses, one victim). The last is wide, because it also locks out the victim.
"""

import hashlib
import secrets
from typing import Final, NamedTuple

from sqlalchemy import Engine, and_, delete, func, insert, or_, select

from pipeline.clock import Clock
from pipeline.serve.signin.tables import ATTEMPTS

WINDOW_MS: Final = 15 * 60_000
PER_PAIR: Final = 5
PER_ADDRESS: Final = 30
PER_NAME: Final = 100


class Attempt(NamedTuple):
    """An attempt that was let in, or not."""

    number: str
    wait_seconds: int
    """0 if it was let in."""


class Attempts:
    """Admits attempts up to the limits."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def admit(self, name: str, address: str) -> Attempt:
        """Counts an attempt and lets it in, or returns for how many seconds this address may not try this name.

        The attempt is counted before the password is verified: of many parallel attempts, the limit lets that many
        through and no more. A refused attempt is not counted, so that a lock ends by itself.
        """
        now_ms, limits, number = self._clock(), _limits(name, address), secrets.token_hex(8)
        recent = and_(ATTEMPTS.c.key.in_(limits), ATTEMPTS.c.at_ms > now_ms - WINDOW_MS)
        counted = select(ATTEMPTS.c.key, func.count().label("attempts"), func.min(ATTEMPTS.c.at_ms).label("oldest_ms"))
        with self._engine.begin() as connection:
            connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.at_ms <= now_ms - WINDOW_MS))
            added = [{"key": key, "attempt": number, "at_ms": now_ms} for key in limits]
            connection.execute(insert(ATTEMPTS), added)
            rows = connection.execute(counted.where(recent).group_by(ATTEMPTS.c.key)).all()
            full = [row.oldest_ms for row in rows if row.attempts > limits[row.key]]
            if full:
                connection.rollback()
        return Attempt(number, max((-((now_ms - WINDOW_MS - at_ms) // 1000) for at_ms in full), default=0))

    def succeeded(self, attempt: Attempt, name: str, address: str) -> None:
        """Takes an attempt back, and forgets the failures of this name from this address."""
        pair = next(iter(_limits(name, address)))
        with self._engine.begin() as connection:
            connection.execute(
                delete(ATTEMPTS).where(or_(ATTEMPTS.c.key == pair, ATTEMPTS.c.attempt == attempt.number))
            )


def _limits(name: str, address: str) -> dict[str, int]:
    """Returns the key of each window to its limit. Names are hashed: a mistyped one may be a password."""
    hashed = hashlib.sha256(name.casefold().encode(errors="replace")).hexdigest()
    return {f"pair/{hashed}/{address}": PER_PAIR, f"address/{address}": PER_ADDRESS, f"name/{hashed}": PER_NAME}
