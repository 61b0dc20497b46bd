"""The messages to PROFILE on the touches topic, keyed by profile id: touches, moves, carried ledgers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.model import Event
from pipeline.identity.messages import IdentifierOwnership, Move

__all__ = ["Carry", "IdentifierOwnership", "Message", "Move", "Touch", "carries", "touch_of"]

MAX_CARRIED_BYTES: Final = 512 << 10
"""The most bytes in one message, unless a single ledger is larger: half of Kafka's default limit."""


class Touch(msgspec.Struct, array_like=True, gc=False, tag="touch", tag_field="record"):
    """One accepted event, booked under ``anchor``. INTAKE sends it to the anchor's last known owner."""

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
    """0 from INTAKE. In a forwarded touch, the seq from which on the addressed profile owns the anchor."""


def touch_of(event: Event) -> Touch:
    """Returns the touch of an accepted event, whose first identifier is the anchor."""
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
    """Whole ledgers that are handed over or forwarded to ``target``, which owns their anchors from ``seq`` on."""

    tenant: str
    target: str
    seq: int
    ledgers: dict[Identifier, msgspec.Raw]
    """Encoded ledgers by anchor. Only PROFILE decodes them, so that their format can have its own version."""
    source: str = ""
    """The profile that answers a move with ``seq`` that ``target`` awaits. Empty if nothing waits for this carry."""
    more: bool = False
    """Whether further carries belong to the same answer."""


Message: TypeAlias = Touch | Move | Carry | IdentifierOwnership
"""Any message to a profile."""


def carries(
    tenant: str, target: str, seq: int, ledgers: Mapping[Identifier, msgspec.Raw], source: str = ""
) -> Iterator[Carry]:
    """Yields the messages that hand over ledgers: one, or several if it would be too large.

    ``source`` names the profile that answers an awaited move. It then sends a message even without ledgers.
    """
    bundle: dict[Identifier, msgspec.Raw] = {}
    size_bytes = 0
    for anchor, ledger in ledgers.items():
        length = memoryview(ledger).nbytes
        if bundle and size_bytes + length > MAX_CARRIED_BYTES:
            yield Carry(tenant, target, seq, bundle, source, more=bool(source))
            bundle, size_bytes = {}, 0
        bundle[anchor] = ledger
        size_bytes += length
    if bundle or source:
        yield Carry(tenant, target, seq, bundle, source)
