"""The headers of a quarantined record: where it came from and why it was refused, under names that no producer uses."""

from collections.abc import Mapping
from typing import Final

from pipeline.event.reason import Reason
from pipeline.kafka.record import Header, Record

HEADER_PREFIX: Final = "stitchline-"
MAX_DETAIL_CHARACTERS: Final = 500


def quarantine_headers(record: Record, stage: str, reason: Reason, detail: str) -> list[Header]:
    """Returns the record's own headers with the facts of its quarantine behind them."""
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
    """Returns the facts of a quarantined record by their short names; headers of the producer are left out."""
    return {
        name.removeprefix(HEADER_PREFIX): value.decode(errors="replace")
        for name, value in headers or []
        if name.startswith(HEADER_PREFIX)
    }
