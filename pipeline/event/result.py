"""How an event that is not taken ends; together with what INTAKE does for one that is, the closed set of results."""

from msgspec import Struct

from pipeline.event.reason import Reason


class Drop(Struct, frozen=True, gc=False):
    """Correct, and nothing to do."""

    reason: Reason


class DeadLetter(Struct, frozen=True, gc=False):
    """Cannot be taken: its bytes go to the DLQ. ``detail`` tells the producer what to write instead."""

    reason: Reason
    detail: str


class Redirect(Struct, frozen=True, gc=False):
    """Belongs to another partition: the same bytes go back to the same topic under ``key``, once."""

    reason: Reason
    key: str
