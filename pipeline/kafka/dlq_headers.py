"""The headers of a quarantined record: where it came from and why it was refused, under names that no producer uses."""

from collections.abc import Mapping
from typing import Final

from pipeline.kafka.record import Header

HEADER_PREFIX: Final = "stitchline-"


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
