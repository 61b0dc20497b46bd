"""What travels to PROFILE on the touches topic, keyed by profile id: touches, moves, carried ledgers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Move, Ownership

__all__ = ["Carry", "Move", "Ownership", "Touch", "carries"]

MOST_CARRIED_BYTES: Final = 512 << 10
"""In one message, unless a single ledger is larger: half of what Kafka takes by default."""


class Touch(msgspec.Struct, array_like=True, gc=False, tag="touch", tag_field="record"):
    """One accepted event, booked under its anchor (``leaf``), sent to the profile INTAKE last knew as its owner."""

    tenant: str
    leaf: Identifier
    event_id: str
    timestamp_ms: int
    channel: str
    type: str
    name: str
    identifiers: list[Identifier]
    """All of the event's identifiers, the leaf first."""
    properties: dict[str, Any]
    context: dict[str, Any]
    traits: dict[str, Any]
    amount_minor: int = 0
    currency: str = ""
    seq: int = 0
    """0 from INTAKE; when PROFILE forwards a touch, the seq at which the profile it is sent to owns the leaf."""


class Carry(msgspec.Struct, array_like=True, gc=False, tag="carry", tag_field="record"):
    """Whole ledgers handed over, or forwarded along pointers, to ``target`` which owned their leaves at ``seq``."""

    tenant: str
    target: str
    seq: int
    ledgers: dict[Identifier, msgspec.Raw]
    """By leaf, encoded; decoded by PROFILE alone, so that their format can carry a version."""


def carries(tenant: str, target: str, seq: int, ledgers: Mapping[Identifier, msgspec.Raw]) -> Iterator[Carry]:
    """Hand over ledgers: in one message, or where that would be too large, in as few as can be."""
    bundle: dict[Identifier, msgspec.Raw] = {}
    size_bytes = 0
    for leaf, ledger in ledgers.items():
        length = memoryview(ledger).nbytes
        if bundle and size_bytes + length > MOST_CARRIED_BYTES:
            yield Carry(tenant, target, seq, bundle)
            bundle, size_bytes = {}, 0
        bundle[leaf] = ledger
        size_bytes += length
    if bundle:
        yield Carry(tenant, target, seq, bundle)
