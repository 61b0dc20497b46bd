"""The results for events that INTAKE does not accept."""

from msgspec import Struct

from pipeline.event.reason import Reason


class Drop(Struct, frozen=True, gc=False):
    """The event is valid and needs no processing."""

    reason: Reason


class Rejected(Struct, frozen=True, gc=False):
    """The event is invalid. ``detail`` names the field and what to write instead, and never quotes a value."""

    reason: Reason
    detail: str


class Redirect(Struct, frozen=True, gc=False):
    """The event belongs to another partition: its bytes are sent to the same topic again under ``key``, once."""

    reason: Reason
    key: str
