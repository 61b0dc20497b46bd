"""How handling one event can end: the closed set that stages match on."""

from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from pipeline.event.reason import Reason

Effects = TypeVar("Effects")


class Ok(Struct, Generic[Effects], frozen=True, gc=False):
    """Taken; ``value`` says what is to be done about it."""

    value: Effects


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


Result: TypeAlias = Ok[Effects] | Drop | DeadLetter | Redirect
