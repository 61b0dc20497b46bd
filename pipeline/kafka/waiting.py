"""Measures for how long the oldest unprocessed record of a partition has been waiting.

The records' own timestamps are useless for that, because those of a back-fill are years old. So a record's waiting time
starts at the first observation of an end offset behind it. A restart of the process starts all waiting times again.

>>> waiting = WaitingRecords()
>>> waiting.observe("p0", position=10, end=10, now_seconds=0.0)
0.0
>>> waiting.observe("p0", position=10, end=15, now_seconds=2.0)
0.0
>>> waiting.observe("p0", position=10, end=20, now_seconds=30.0)
28.0
>>> waiting.observe("p0", position=15, end=20, now_seconds=32.0)
2.0
"""

from collections.abc import Collection, Hashable
from typing import Final, Generic, TypeVar

Place = TypeVar("Place", bound=Hashable)

MAX_LOOKS: Final = 1024
"""Observations kept per partition. Above it every second one is dropped, so a result may be one interval too low."""


class WaitingRecords(Generic[Place]):
    """Keeps per partition the time at which each end offset was first observed, until the group has passed it."""

    def __init__(self) -> None:
        self._observations: dict[Place, list[tuple[int, float]]] = {}

    def observe(self, place: Place, *, position: int, end: int, now_seconds: float) -> float:
        """Returns the waiting time of the record at ``position`` in seconds; 0 if no record waits.

        ``end`` is the high watermark, so records of open transactions count too.
        """
        observations = [observation for observation in self._observations.get(place, ()) if observation[0] > position]
        if end > position and (not observations or end > observations[-1][0]):
            observations.append((end, now_seconds))
        if len(observations) > MAX_LOOKS:
            del observations[1::2]
        self._observations[place] = observations
        return now_seconds - observations[0][1] if observations else 0.0

    def forget_all_but(self, places: Collection[Place]) -> None:
        """Drops the state of all other partitions."""
        self._observations = {place: kept for place, kept in self._observations.items() if place in places}
