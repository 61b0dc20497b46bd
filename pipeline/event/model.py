"""The canonical event: the form into which input from every source, file and topic is converted."""

from typing import Any, Literal, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier

Channel: TypeAlias = Literal["web", "email", "app", "pos", "ads", "crm"]
EventType: TypeAlias = Literal["track", "identify", "alias", "page", "screen", "group"]
CHANNELS: tuple[Channel, ...] = ("web", "email", "app", "pos", "ads", "crm")
TYPES: tuple[EventType, ...] = ("track", "identify", "alias", "page", "screen", "group")


class Event(msgspec.Struct, gc=False):
    """One event of one customer.

    ``name`` is the Segment spec's ``event`` ("" for events other than track). ``identifiers`` are as sent until
    normalisation; then they are unique and sorted, strongest first, so that ``identifiers[0]`` is the anchor.
    """

    tenant: str
    source: str
    message_id: str
    channel: str
    type: str
    name: str
    timestamp_ms: int
    identifiers: list[Identifier]
    properties: dict[str, Any]
    context: dict[str, Any]
    traits: dict[str, Any]
    amount_minor: int = 0
    """The event's amount in minor units of ``currency``; set by normalisation."""
    currency: str = ""

    @property
    def event_id(self) -> str:
        """``source/message_id``: unique within the tenant."""
        return f"{self.source}/{self.message_id}"
