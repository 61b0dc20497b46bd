"""A private SQLite database for rows that are read from a topic at each start."""

import sqlite3
from typing import Final

CACHE_KIB: Final = 16_384


def temporary_database() -> sqlite3.Connection:
    """Returns an empty database, which spills from memory to disk and is deleted when it is closed."""
    rows = sqlite3.connect("", isolation_level=None)  # "": a private temporary database
    rows.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    rows.execute("PRAGMA journal_mode = OFF")
    rows.execute("PRAGMA synchronous = OFF")
    return rows
