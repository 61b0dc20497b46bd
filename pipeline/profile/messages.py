"""What travels to PROFILE on the touches topic, keyed by profile id: touches, moves, carried ledgers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.model import Event
from pipeline.identity.messages import IdentifierOwnership, Move

__all__ = ["Carry", "IdentifierOwnership", "Move", "Touch", "carries", "touch_of"]

MAX_CARRIED_BYTES: Final = 512 << 10
"""In one message, unless a single ledger is larger: half of what Kafka takes by default."""


class Touch(msgspec.Struct, array_like=True, gc=False, tag="touch", tag_field="record"):
    """One accepted event, booked under its anchor (``anchor``), sent to the profile INTAKE last knew as its owner."""

    tenant: str
    anchor: Identifier
    event_id: str
    timestamp_ms: int
    channel: str
    type: str
    name: str
    identifiers: list[Identifier]
    """All of the event's identifiers, the anchor first."""
    properties: dict[str, Any]
    context: dict[str, Any]
    traits: dict[str, Any]
    amount_minor: int = 0
    currency: str = ""
    seq: int = 0
    """0 from INTAKE; when PROFILE forwards a touch, the seq at which the profile it is sent to owns the anchor."""


def touch_of(event: Event) -> Touch:
    """The touch of an accepted event, whose anchor is the first of its identifiers."""
    return Touch(
        event.tenant,
        event.identifiers[0],
        event.event_id,
        event.timestamp_ms,
        event.channel,
        event.type,
        event.name,
        event.identifiers,
        event.properties,
        event.context,
        event.traits,
        event.amount_minor,
        event.currency,
    )


class Carry(msgspec.Struct, array_like=True, gc=False, tag="carry", tag_field="record"):
    """Whole ledgers handed over, or forwarded along pointers, to ``target`` which owned their anchors at ``seq``."""

    tenant: str
    target: str
    seq: int
    ledgers: dict[Identifier, msgspec.Raw]
    """By anchor, encoded; decoded by PROFILE alone, so that their format can carry a version."""


def carries(tenant: str, target: str, seq: int, ledgers: Mapping[Identifier, msgspec.Raw]) -> Iterator[Carry]:
    """Hand over ledgers: in one message, or where that would be too large, in as few as can be."""
    bundle: dict[Identifier, msgspec.Raw] = {}
    size_bytes = 0
    for anchor, ledger in ledgers.items():
        length = memoryview(ledger).nbytes
        if bundle and size_bytes + length > MAX_CARRIED_BYTES:
            yield Carry(tenant, target, seq, bundle)
            bundle, size_bytes = {}, 0
        bundle[anchor] = ledger
        size_bytes += length
    if bundle:
        yield Carry(tenant, target, seq, bundle)
