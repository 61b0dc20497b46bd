"""Growing pauses between attempts that keep failing.

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
"""What lived this long has got over its trouble: its next failure is the first again."""


class Backoff:
    """Counts failures in succession of one thing."""

    def __init__(self) -> None:
        self.failures = 0
        """In succession, the last one included."""

    def failed(self, lived_seconds: float) -> float:
        """Returns how many seconds to wait before the next attempt: at once after the first failure, then doubling."""
        self.failures = 1 if lived_seconds >= HEALTHY_SECONDS else self.failures + 1
        if self.failures == 1:
            return 0.0
        return min(MAX_SECONDS, FIRST_SECONDS * 2.0 ** min(self.failures - 2, 10))
