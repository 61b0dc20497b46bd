"""How an event that is not taken ends; together with what INTAKE does for one that is, the closed set of results."""

from msgspec import Struct

from pipeline.event.reason import Reason


class Drop(Struct, frozen=True, gc=False):
    """Correct, and nothing to do."""

    reason: Reason


class Rejected(Struct, frozen=True, gc=False):
    """Cannot be taken. ``detail`` names the field and what to write instead, and never quotes a value."""

    reason: Reason
    detail: str


class Redirect(Struct, frozen=True, gc=False):
    """Belongs to another partition: the same bytes go back to the same topic under ``key``, once."""

    reason: Reason
    key: str
