"""What the demo shows at one moment, whatever shows it."""

from typing import Any, Final, Protocol

import msgspec

from pipeline.query.flow import StageFlow
from pipeline.query.live import Counts

SLOTS: Final = 48
"""Half hours of the day: the columns of the curves."""


class DemoState(msgspec.Struct, frozen=True):
    """One moment of the demo."""

    day_share: float
    """How much of the day is over, 0 to 1."""
    sent: int
    events: int
    by_channel: dict[str, int]
    identifiers: int
    counts: Counts
    stages: list[StageFlow]
    identifier_curve: list[int]
    """Identifiers seen by the end of each half hour so far."""
    max_identifiers: int
    """What the first curve can rise to."""
    customer_curve: list[int]
    """Customers at the end of each half hour so far."""

    @property
    def clock(self) -> str:
        """The shop's time, hours and minutes."""
        minutes = min(24 * 60, int(self.day_share * 24 * 60))
        return f"{minutes // 60:02d}:{minutes % 60:02d}"


class Curves:
    """Keeps one value per half hour: the last."""

    def __init__(self) -> None:
        self.identifiers: list[int] = []
        self.customers: list[int] = []

    def note(self, day_share: float, identifiers: int, customers: int) -> None:
        """The values at a moment; half hours that were passed over get them too."""
        slot = min(SLOTS - 1, int(day_share * SLOTS))
        for curve, value in ((self.identifiers, identifiers), (self.customers, customers)):
            curve.extend([value] * (slot + 1 - len(curve)))
            curve[slot] = value


class Display(Protocol):
    """Where the demo is shown: a screen, or lines of text."""

    def step(self, text: str) -> None:
        """What is being prepared."""
        ...

    def lead(self, action: dict[str, Any], state: DemoState) -> None:
        """A lead that has just been made."""
        ...

    def show(self, state: DemoState) -> None:
        """The moment, several times a second."""
        ...
