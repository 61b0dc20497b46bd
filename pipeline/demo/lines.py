"""The demo as lines of text: for pipes, logs and CI."""

import time
from typing import Any, Final

from rich.console import Console

from pipeline.demo.demo_state import DemoState
from pipeline.printable import printable
from pipeline.query.lead import display_name, is_duplicate, reach, reasons, story

EVERY_SECONDS: Final = 3.0


class LineDisplay:
    """Prints a line per step and per lead, and a line with the totals every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due = 0.0

    def step(self, text: str) -> None:
        """Prints the current step of the preparation."""
        self._print(f"{text} …")

    def lead(self, action: dict[str, Any], state: DemoState) -> None:
        """Prints the lead as one line of any length."""
        if is_duplicate(action):
            self._print(f"{state.clock}  lead closed: {display_name(action)} is a duplicate_of another")
            return
        parts = (display_name(action), reach(action), f"score {action['score']:.0f}", reasons(action), story(action))
        self._print(f"{state.clock}  LEAD  " + " | ".join(part for part in parts if part))

    def show(self, state: DemoState) -> None:
        """Prints the totals, at most once per ``EVERY_SECONDS``."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_SECONDS
        counts, rate = state.counts, max((flow.per_second for flow in state.stages), default=0.0)
        self._print(
            f"{state.clock}  {state.sent:,} of {state.events:,} events, {rate:,.0f} records/s: "
            f"{state.identifiers:,} identifiers, {counts.customers:,} customers, {counts.merges:,} merges, "
            f"{counts.leads:,} leads"
        )

    def _print(self, text: str) -> None:
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
