"""Partitions whose last stable offset does not move: the sign of a hanging transaction.

A read-committed consumer reads up to the last stable offset, which stands at the first record of the oldest open
transaction. A transaction that nothing ends holds it there for good: the consumer sees an empty partition, and the
producers see nothing.

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
    """Remembers since when each partition's last stable offset has stood at one place below its high watermark."""

    def __init__(self) -> None:
        self._standing: dict[Place, tuple[int, float]] = {}

    def observe(
        self, stable: Mapping[Place, int], ends: Mapping[Place, int], *, now_seconds: float
    ) -> dict[Place, float]:
        """Returns for each partition how long its last stable offset has not moved, in seconds.

        The result is 0 where no transaction is open and where the offset has moved since the last call. Partitions
        missing from either argument keep what is remembered of them and are not in the result.
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
        """Drops what is remembered of every other partition."""
        self._standing = {place: result for place, result in self._standing.items() if place in places}
