"""Partitions whose last stable offset does not move: the sign of a hanging transaction.

A read-committed consumer reads up to the last stable offset, which is the first record of the oldest open transaction.
A transaction that is never ended holds it there for good: the consumer sees an empty partition, and the producers see
no error.

>>> probe = StuckOffsets()
>>> probe.observe({"p0": 5}, {"p0": 9}, now_seconds=100.0)
{'p0': 0.0}
>>> probe.observe({"p0": 5}, {"p0": 30}, now_seconds=160.0)
{'p0': 60.0}
>>> probe.observe({"p0": 30}, {"p0": 30}, now_seconds=161.0)
{'p0': 0.0}
"""

from collections.abc import Collection, Hashable, Mapping
from typing import Generic, TypeVar

Place = TypeVar("Place", bound=Hashable)


class StuckOffsets(Generic[Place]):
    """Keeps the time since which each partition's last stable offset has not moved while below the high watermark."""

    def __init__(self) -> None:
        self._standing: dict[Place, tuple[int, float]] = {}

    def observe(
        self, stable: Mapping[Place, int], ends: Mapping[Place, int], *, now_seconds: float
    ) -> dict[Place, float]:
        """Returns by partition the time for which its last stable offset has not moved, in seconds.

        The result is 0 if no transaction is open or if the offset has moved since the last call. Omits partitions that
        are missing from either argument; their state is kept.
        """
        seconds: dict[Place, float] = {}
        for place in stable.keys() & ends.keys():
            if stable[place] >= ends[place]:
                self._standing.pop(place, None)
                seconds[place] = 0.0
                continue
            offset, since = self._standing.get(place, (-1, now_seconds))
            if offset != stable[place]:
                since = now_seconds
            self._standing[place] = stable[place], since
            seconds[place] = now_seconds - since
        return seconds

    def forget_all_but(self, places: Collection[Place]) -> None:
        """Drops the state of all other partitions."""
        self._standing = {place: result for place, result in self._standing.items() if place in places}
