"""The DLQ as an operator reads it: entries with their facts, counts of them, one of them in full."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec
from confluent_kafka import Message

from pipeline.event.instant import format_instant
from pipeline.kafka.dlq_headers import HEADER_PREFIX, headers_as_facts
from pipeline.kafka.record import Header

REPLAYED: Final = "replayed"
"""The fact of a record that was replayed: ``partition:offset`` of where it lay in the DLQ."""
REPLAYED_HEADER: Final = HEADER_PREFIX + REPLAYED


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A quarantined record without its bytes: nothing here is personal but, perhaps, ``detail``."""

    place: str
    """``partition:offset`` in the DLQ: what ``show`` takes."""
    quarantined_at: str
    """When it was set aside, ISO 8601."""
    reason: str
    stage: str
    topic: str
    """Where it was read from, the name on the broker."""
    source: str
    """``partition:offset`` there."""
    detail: str
    size_bytes: int
    replayed: str
    """Where in the DLQ it lay before it was replayed and found bad again, or ""."""


class Listing(msgspec.Struct):
    """How much there is, by what, and the newest of it."""

    total: int
    counts: list[dict[str, Any]]
    """``{"reason", "stage", "topic", "records"}``, most first."""
    newest: list[Entry]


def entry_of(message: Message) -> Entry:
    """A DLQ record's facts. What another program wrote there without facts has empty ones."""
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
    )


def headers_of(message: Message) -> list[Header]:
    """All headers, in order, their values as bytes."""
    return cast("list[Header]", message.headers() or [])


def original_headers(message: Message) -> list[Header]:
    """The headers the record had before it was quarantined."""
    return [(name, value) for name, value in headers_of(message) if not name.startswith(HEADER_PREFIX)]


def listing(entries: Iterable[Entry], newest: int) -> Listing:
    """Count entries and keep the newest, newest first; memory does not grow with their number."""
    counts: Counter[tuple[str, str, str]] = Counter()
    kept: list[Entry] = []
    for entry in entries:
        counts[entry.reason, entry.stage, entry.topic] += 1
        kept.append(entry)
        if len(kept) >= 2 * newest + 100:
            kept = _newest(kept, newest)
    rows_of_counts = [
        {"reason": reason, "stage": stage, "topic": topic, "records": records}
        for (reason, stage, topic), records in sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    ]
    return Listing(counts.total(), rows_of_counts, _newest(kept, newest))


def _newest(entries: list[Entry], limit: int) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.quarantined_at, entry.place), reverse=True)[:limit]
