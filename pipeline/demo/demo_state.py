"""The demo's state at one moment, and the protocol of its displays."""

from typing import Any, Final, Protocol

import msgspec

from pipeline.query.flow import StageFlow
from pipeline.query.live import Counts

SLOTS: Final = 48
"""Half hours in a day: the number of columns of a curve."""


class DemoState(msgspec.Struct, frozen=True):
    """One moment of the demo."""

    day_share: float
    """The elapsed share of the day, 0 to 1."""
    sent: int
    events: int
    by_channel: dict[str, int]
    identifiers: int
    counts: Counts
    stages: list[StageFlow]
    identifier_curve: list[int]
    """Identifiers seen by the end of each half hour so far."""
    max_identifiers: int
    """The maximum that the first curve can reach."""
    customer_curve: list[int]
    """Customers at the end of each half hour so far."""

    @property
    def clock(self) -> str:
        """Returns the shop's time of day as HH:MM."""
        minutes = min(24 * 60, int(self.day_share * 24 * 60))
        return f"{minutes // 60:02d}:{minutes % 60:02d}"


class Curves:
    """Keeps the last value of each half hour."""

    def __init__(self) -> None:
        self.identifiers: list[int] = []
        self.customers: list[int] = []

    def note(self, day_share: float, identifiers: int, customers: int) -> None:
        """Sets the values of the current half hour, and of half hours skipped since the last call."""
        slot = min(SLOTS - 1, int(day_share * SLOTS))
        for curve, value in ((self.identifiers, identifiers), (self.customers, customers)):
            curve.extend([value] * (slot + 1 - len(curve)))
            curve[slot] = value


class Display(Protocol):
    """A display of the demo: a screen, or lines of text."""

    def step(self, text: str) -> None:
        """Shows the current step of the preparation."""
        ...

    def lead(self, action: dict[str, Any], state: DemoState) -> None:
        """Shows a lead that was just opened or closed."""
        ...

    def show(self, state: DemoState) -> None:
        """Shows the current state. Called several times a second."""
        ...
