"""Stored profiles, read one after another within a budget of time.

They come in the order of profile ids, which are hashes. So those before any point are a random sample of all, the same
in every run: a count that ran out of time is an estimate without bias.
"""

import time
from collections.abc import Iterator
from typing import Final

from sqlalchemy import func, select

from pipeline.profile.row import ProfileRow
from pipeline.query.profiles import decode_row
from pipeline.serve.model import tables
from pipeline.serve.model.store import Store

CHUNK: Final = 500


class States:
    """The current profiles of one tenant."""

    def __init__(self, store: Store, tenant: str, budget_seconds: float) -> None:
        self._store, self._tenant, self._budget_seconds = store, tenant, budget_seconds
        states = tables.profile_states.c
        self._current = (states.tenant == tenant, states.is_current)
        with store.reading() as connection:
            counting = select(func.count()).select_from(tables.profile_states).where(*self._current)
            self.total: int = connection.execute(counting).scalar_one()
            """Number of all current profiles."""

    def encoded(self) -> Iterator[tuple[str, bytes]]:
        """Yields profile ids and encoded rows until the end or until the budget is spent.

        Each chunk is read in a transaction of its own: a long one would keep the writer's log from being cut.
        """
        until, after = time.monotonic() + self._budget_seconds, ""
        states = tables.profile_states.c
        statement = select(states.profile_id, states.state).where(*self._current).order_by(states.profile_id)
        while time.monotonic() < until:
            with self._store.reading() as connection:
                rows = connection.execute(statement.where(states.profile_id > after).limit(CHUNK)).all()
            for row in rows:
                yield row.profile_id, row.state
            if len(rows) < CHUNK:
                return
            after = rows[-1].profile_id

    def rows(self) -> Iterator[tuple[str, ProfileRow]]:
        """Yields profile ids and rows, as :meth:`encoded` does."""
        for profile_id, state in self.encoded():
            yield profile_id, decode_row(state)
