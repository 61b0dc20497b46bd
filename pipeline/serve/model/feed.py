"""The feed: the newest changes, numbered in the order of their commits, for subscribers that resume by number."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from pipeline.serve.model import tables
from pipeline.serve.model.kinds.kind import FeedEntry, json_bytes

KEPT_ENTRIES: Final = 100_000
"""Entries that subscribers can resume over."""


def add_to_feed(connection: Connection, entries: Sequence[FeedEntry]) -> None:
    """Adds entries and deletes those that are too old. Keeps the newest ``KEPT_ENTRIES`` at least."""
    if not entries:
        return
    rows = [
        {"kind": kind, "tenant": tenant, "profile_id": profile_id, "body": json_bytes(facts)}
        for kind, tenant, profile_id, facts in entries
    ]
    connection.execute(insert(tables.feed), rows)
    newest = connection.execute(select(func.max(tables.feed.c.number))).scalar_one()
    connection.execute(delete(tables.feed).where(tables.feed.c.number <= newest - KEPT_ENTRIES))
