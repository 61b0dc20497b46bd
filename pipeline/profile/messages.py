"""What travels to PROFILE on the touches topic, keyed by profile id: touches, moves, carried ledgers."""

from typing import Any

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Move

__all__ = ["Carry", "Move", "Touch"]


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
    """A whole ledger handed over, or forwarded along pointers, to ``target`` which owned the leaf at ``seq``."""

    tenant: str
    leaf: Identifier
    target: str
    seq: int
    ledger: msgspec.Raw
    """The encoded ledger; decoded by PROFILE alone, so that its format can carry a version."""
