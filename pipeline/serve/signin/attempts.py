"""The limit on sign-in attempts, counted in the database, so that several processes and restarts share it.

Three windows count at once: one name from one address (guessing a password), one address (trying many names), and one
name from everywhere (many addresses, one victim). The last is wide, because it also locks out the victim.
"""

import hashlib
from typing import Final

from sqlalchemy import Engine, and_, delete, func, insert, select

from pipeline.clock import Clock
from pipeline.serve.signin.tables import ATTEMPTS

WINDOW_MS: Final = 15 * 60_000
PER_PAIR: Final = 5
PER_ADDRESS: Final = 30
PER_NAME: Final = 100


class Attempts:
    """Admits attempts up to the limits."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def admit(self, name: str, address: str) -> int:
        """Counts an attempt and returns 0, or returns for how many seconds this address may not try this name.

        The attempt is counted before the password is verified: of many parallel attempts, the limit lets that many
        through and no more. A refused attempt is not counted, so that a lock ends by itself.
        """
        now_ms, limits = self._clock(), _limits(name, address)
        recent = and_(ATTEMPTS.c.key.in_(limits), ATTEMPTS.c.at_ms > now_ms - WINDOW_MS)
        counted = select(ATTEMPTS.c.key, func.count().label("attempts"), func.min(ATTEMPTS.c.at_ms).label("oldest_ms"))
        with self._engine.begin() as connection:
            connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.at_ms <= now_ms - WINDOW_MS))
            connection.execute(insert(ATTEMPTS), [{"key": key, "at_ms": now_ms} for key in limits])
            rows = connection.execute(counted.where(recent).group_by(ATTEMPTS.c.key)).all()
            full = [row.oldest_ms for row in rows if row.attempts > limits[row.key]]
            if full:
                connection.rollback()
        return max((-((now_ms - WINDOW_MS - at_ms) // 1000) for at_ms in full), default=0)

    def succeeded(self, name: str, address: str) -> None:
        """Forgets the attempts of this name from this address."""
        pair = next(iter(_limits(name, address)))
        with self._engine.begin() as connection:
            connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.key == pair))


def _limits(name: str, address: str) -> dict[str, int]:
    """Returns the key of each window to its limit. Names are hashed: a mistyped one may be a password."""
    hashed = hashlib.sha256(name.casefold().encode(errors="replace")).hexdigest()
    return {f"pair/{hashed}/{address}": PER_PAIR, f"address/{address}": PER_ADDRESS, f"name/{hashed}": PER_NAME}
