"""Allows one writer for each database. The lock ends with its holder, however that ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from pipeline.serve.model.store import Store

SUFFIX: Final = ".writer.lock"
_KEY: Final = 0x57174C57
"""Key of PostgreSQL's advisory lock."""


@contextmanager
def writer_connection(store: Store) -> Iterator[Connection | None]:
    """Yields the connection that the only writer uses, or None if another process is the writer.

    On PostgreSQL the lock belongs to the session of this connection. A writer that loses the session loses the lock,
    and its next statement fails.
    """
    if store.engine.dialect.name == "sqlite":
        with Path(store.place + SUFFIX).open("a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            with store.engine.execution_options(stitchline_write=True).connect() as connection:
                yield connection
        return
    with store.engine.connect() as connection:
        held = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar()
        connection.commit()
        try:
            yield connection if held else None
        finally:
            connection.invalidate()  # closes the session, and with it the lock
