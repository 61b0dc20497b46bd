"""The part of a CRM's daily requests that a sink may use. Time is a parameter."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from connectors.crm.fault import QUOTA_PAUSE_MS, Fault, StoppedError, pause_for

Used: TypeAlias = Callable[[Mapping[str, str]], float]
"""Returns the used part of a day's requests from the headers of an answer, 0.0 if they state none."""


class Budget:
    """The part of a day's requests that the sink may use, by what each answer states. The rest is left to others."""

    def __init__(self, used: Used, share: float) -> None:
        self._used, self._share = used, share
        self._until_ms = 0
        self._words = ""

    def note(self, headers: Mapping[str, str], now_ms: int) -> None:
        """Takes note of an answer. Over the share, the next request has to wait."""
        used = self._used(headers)
        if used >= self._share:
            self._until_ms = now_ms + QUOTA_PAUSE_MS
            self._words = f"{used:.0%} of the day's requests are used, crm.yaml allows {self._share:.0%}"

    def left_ms(self, now_ms: int) -> int:
        """Returns the milliseconds until the next request may be sent."""
        return max(0, self._until_ms - now_ms)

    def pause(self, now_ms: int) -> StoppedError:
        """Returns the error of a request that has to wait."""
        return StoppedError(pause_for(Fault.QUOTA, self._words, self.left_ms(now_ms)))
