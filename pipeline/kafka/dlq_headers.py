"""The headers of a quarantined record: its source and the reason, under a prefix reserved for Stitchline."""

from collections.abc import Mapping
from typing import Final

from pipeline.event.reason import Reason
from pipeline.kafka.record import Header, Record

HEADER_PREFIX: Final = "stitchline-"
SINK_HEADER: Final = HEADER_PREFIX + "sink"
"""The fact that names the sink which quarantined an action. A replay keeps it: only this sink delivers it again."""
REKEYED_HEADER: Final = HEADER_PREFIX + "rekeyed"
"""Marks an event that INTAKE has sent to the topic again under the right key, which it does once."""
ITEM: Final = "item"
"""The fact that identifies an item which its sender may send again. Records with the same value are one item."""
MAX_DETAIL_CHARACTERS: Final = 500


def quarantine_headers(record: Record, stage: str, reason: Reason, detail: str) -> list[Header]:
    """Returns the record's own headers followed by the facts of its quarantine."""
    facts = {
        "reason": reason.value,
        "detail": detail[:MAX_DETAIL_CHARACTERS],
        "stage": stage,
        "topic": record.topic(),
        "partition": str(record.partition()),
        "offset": str(record.offset()),
    }
    return [*(record.headers() or []), *facts_as_headers(facts)]


def facts_as_headers(facts: Mapping[str, str]) -> list[Header]:
    """Returns the facts as headers."""
    return [(HEADER_PREFIX + name, value.encode()) for name, value in facts.items()]


def headers_as_facts(headers: list[Header] | None) -> dict[str, str]:
    """Returns the facts of a quarantined record by name without prefix. Omits the producer's own headers."""
    return {
        name.removeprefix(HEADER_PREFIX): value.decode(errors="replace")
        for name, value in headers or []
        if name.startswith(HEADER_PREFIX)
    }
