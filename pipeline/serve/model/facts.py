"""Facts about the database: its format, the deployment that it follows, and how far the writer is."""

from typing import Final

import msgspec
from sqlalchemy import Connection, select

from pipeline.serve.model import tables
from pipeline.serve.model.rows import upsert

FORMAT: Final = "format"
PREFIX: Final = "topic_prefix"
EPOCH: Final = "epoch"
"""A random text that changes with every rebuild, because numbers of the feed start again."""
PROGRESS: Final = "progress"


class Progress(msgspec.Struct, frozen=True):
    """How far the writer is, as it stores it with every commit and at least once a second."""

    written_ms: int = 0
    """Time of the commit. A time long ago means that no writer runs."""
    lag_records: int = 0
    """Records on the followed topics that were not applied."""
    caught_up_ms: int = 0
    """When the writer last was at the end of every topic; 0: never since the last rebuild."""
    delay_ms: int = 0
    """The largest time from a record's timestamp to its commit here, over the last ten seconds."""
    applied: int = 0
    """Records applied since the writer's start."""
    skipped: dict[str, int] = {}
    """Topic to records that were none of its schema, since the writer's start."""


def fact(connection: Connection, name: str) -> str:
    """Returns a fact, or ""."""
    found = connection.execute(select(tables.facts.c.value).where(tables.facts.c.name == name)).scalar()
    return found or ""


def set_fact(connection: Connection, name: str, value: str) -> None:
    """Stores a fact."""
    upsert(connection, tables.facts, [{"name": name, "value": value}])


def progress(connection: Connection) -> Progress:
    """Returns the writer's progress as last stored."""
    text = fact(connection, PROGRESS)
    return msgspec.json.decode(text, type=Progress) if text else Progress()


def set_progress(connection: Connection, now: Progress) -> None:
    """Stores the writer's progress."""
    set_fact(connection, PROGRESS, msgspec.json.encode(now).decode())
