"""The DLQ as an operator reads it: entries with their facts, and counts of them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec
from confluent_kafka import Message

from pipeline.event.instant import format_instant
from pipeline.kafka.dlq_headers import HEADER_PREFIX, ITEM, SINK_HEADER, headers_as_facts
from pipeline.kafka.record import Header

REPLAYED: Final = "replayed"
"""The fact that marks a replayed record: its former ``partition:offset`` in the DLQ."""
REPLAYED_HEADER: Final = HEADER_PREFIX + REPLAYED
MAX_SEEN_ITEMS: Final = 200_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A quarantined record without its bytes. Only ``detail`` may contain personal data."""

    place: str
    """``partition:offset`` in the DLQ: the argument of ``dlq show``."""
    quarantined_at: str
    """Time of the quarantine, ISO 8601."""
    reason: str
    stage: str
    topic: str
    """Full name of the topic the record was consumed from."""
    source: str
    """``partition:offset`` in that topic."""
    detail: str
    size_bytes: int
    replayed: str
    """The record's former ``place`` if it was replayed and quarantined again, or ""."""
    item: str = ""
    """The same for each record of one item that came in over HTTP and was sent or kept again; "" for other records."""


class Listing(msgspec.Struct):
    """The number of entries, their counts by cause, and the newest of them."""

    total: int
    counts: list[dict[str, Any]]
    """``{"reason", "stage", "topic", "records"}``, most first."""
    newest: list[Entry]
    repeats: int = 0
    """Further records of items that are counted once."""


class SeenItems:
    """Recognises further records of one item. Remembers ``MAX_SEEN_ITEMS``, so that memory does not grow for ever."""

    def __init__(self) -> None:
        self._items: dict[str, None] = {}

    def is_repeat(self, item: str) -> bool:
        """Returns whether the item was seen before, and remembers it. A record without one is never a repeat."""
        if not item:
            return False
        if item in self._items:
            return True
        if len(self._items) >= MAX_SEEN_ITEMS:
            del self._items[next(iter(self._items))]
        self._items[item] = None
        return False


def entry_of(message: Message) -> Entry:
    """Returns the facts of a DLQ record. They are empty for a record that another program wrote."""
    facts = headers_as_facts(headers_of(message))
    source = f"{facts['partition']}:{facts['offset']}" if {"partition", "offset"} <= facts.keys() else ""
    return Entry(
        place=f"{message.partition()}:{message.offset()}",
        quarantined_at=format_instant(message.timestamp()[1]) or "",
        reason=facts.get("reason", ""),
        stage=facts.get("stage", ""),
        topic=facts.get("topic", ""),
        source=source,
        detail=facts.get("detail", ""),
        size_bytes=len(message.value() or b""),
        replayed=facts.get(REPLAYED, ""),
        item=facts.get(ITEM, ""),
    )


def headers_of(message: Message) -> list[Header]:
    """Returns all headers, in order, with their values as bytes."""
    return cast("list[Header]", message.headers() or [])


def original_headers(message: Message) -> list[Header]:
    """Returns the headers that the record had before it was quarantined, and ``SINK_HEADER`` if it has one."""
    return [
        (name, value)
        for name, value in headers_of(message)
        if name == SINK_HEADER or not name.startswith(HEADER_PREFIX)
    ]


def listing(entries: Iterable[Entry], newest: int) -> Listing:
    """Counts the entries and keeps the ``newest`` newest, newest first. Memory does not grow with their number.

    An item that was sent again counts once: a crash of the collector leaves its sender without an answer.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    kept: list[Entry] = []
    seen, repeats = SeenItems(), 0
    for entry in entries:
        if seen.is_repeat(entry.item):
            repeats += 1
            continue
        counts[entry.reason, entry.stage, entry.topic] += 1
        kept.append(entry)
        if len(kept) >= 2 * newest + 100:
            kept = _newest(kept, newest)
    rows_of_counts = [
        {"reason": reason, "stage": stage, "topic": topic, "records": records}
        for (reason, stage, topic), records in sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    ]
    return Listing(counts.total(), rows_of_counts, _newest(kept, newest), repeats)


def _newest(entries: list[Entry], limit: int) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.quarantined_at, entry.place), reverse=True)[:limit]
