"""Growing pauses between failing attempts.

>>> backoff = Backoff()
>>> [backoff.failed(lived_seconds=2.0) for _ in range(5)]
[0.0, 1.0, 2.0, 4.0, 8.0]
>>> backoff.failed(lived_seconds=3600.0)
0.0
"""

from typing import Final

FIRST_SECONDS: Final = 1.0
MAX_SECONDS: Final = 60.0
HEALTHY_SECONDS: Final = 60.0
"""Lifetime after which a failure counts as the first again."""


class Backoff:
    """Counts consecutive failures of one process or server."""

    def __init__(self, max_seconds: float = MAX_SECONDS) -> None:
        self._max_seconds = max_seconds
        self.failures = 0
        """Consecutive failures, including the last."""

    def failed(self, lived_seconds: float) -> float:
        """Returns the seconds until the next attempt: 0 after the first failure, then 1, 2, 4 … the maximum.

        ``lived_seconds`` is the lifetime before this failure.
        """
        self.failures = 1 if lived_seconds >= HEALTHY_SECONDS else self.failures + 1
        if self.failures == 1:
            return 0.0
        return min(self._max_seconds, FIRST_SECONDS * 2.0 ** min(self.failures - 2, 10))
