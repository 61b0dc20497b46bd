"""The demo as lines of text: for pipes, logs and CI."""

import time
from typing import Any, Final

from rich.console import Console

from pipeline.demo.demo_state import DemoState
from pipeline.printable import printable
from pipeline.query.lead import is_duplicate, reach, reasons, story, who

EVERY_SECONDS: Final = 3.0


class LineDisplay:
    """A line per step and lead, and every few seconds one with the numbers."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due = 0.0

    def step(self, text: str) -> None:
        """What is being prepared."""
        self._say(f"{text} …")

    def lead(self, action: dict[str, Any], state: DemoState) -> None:
        """One line, whatever its length."""
        if is_duplicate(action):
            self._say(f"{state.clock}  lead closed: {who(action)} is a duplicate_of another")
            return
        parts = (who(action), reach(action), f"score {action['score']:.0f}", reasons(action), story(action))
        self._say(f"{state.clock}  LEAD  " + " | ".join(part for part in parts if part))

    def show(self, state: DemoState) -> None:
        """The numbers, now and then."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_SECONDS
        counts, rate = state.counts, max((flow.per_second for flow in state.stages), default=0.0)
        self._say(
            f"{state.clock}  {state.sent:,} of {state.events:,} events, {rate:,.0f} records/s: "
            f"{state.identifiers:,} identifiers, {counts.customers:,} customers, {counts.merges:,} merges, "
            f"{counts.leads:,} leads"
        )

    def _say(self, text: str) -> None:
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
