"""The pause of a whole sink: until a time that the CRM states, else with a growing back-off."""

from typing import Final

from connectors.crm.schedule import wait_ms
from connectors.crm.sink import Pause

MAX_STATED_MS: Final = 24 * 3_600_000
"""Longest pause that a CRM may request at once. A longer one would be a mistake; the sink tries again after it."""


class Pausing:
    """Whether a sink is paused, and why."""

    def __init__(self) -> None:
        self.until_ms = 0
        """Time at which the pause ends; 0 without one."""
        self._reason = ""
        self._in_a_row = 0

    def pause(self, now_ms: int, pause: Pause, *, progressed: bool) -> None:
        """Starts a pause. The back-off starts anew if the call that met the limit also ``progressed``."""
        self._in_a_row = 1 if progressed else self._in_a_row + 1
        length_ms = min(pause.after_ms, MAX_STATED_MS) or wait_ms(self._in_a_row)
        self.until_ms, self._reason = now_ms + length_ms, pause.reason

    def resume(self) -> None:
        """Ends the pause: the CRM took requests."""
        self.until_ms, self._reason, self._in_a_row = 0, "", 0

    def is_over(self, now_ms: int) -> bool:
        """Returns whether requests may be sent."""
        return now_ms >= self.until_ms

    def left_ms(self, now_ms: int) -> int:
        """Returns the milliseconds left of the pause."""
        return max(0, self.until_ms - now_ms)

    def reasons(self, now_ms: int) -> list[str]:
        """Returns why the sink waits; empty if it does not."""
        left_ms = self.left_ms(now_ms)
        return [f"waits {left_ms // 1000 + 1} s for the CRM: {self._reason}"] if left_ms else []
