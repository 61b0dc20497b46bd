"""How long the oldest record of a partition has been waiting to be processed.

Records' own timestamps do not say: a backfill's are years old. What counts is when the partition's end was first seen
behind a record, so a record waits from the first look after it was written, and a restart begins anew.

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
"""Looks remembered per partition; beyond it every second one is dropped, so an age may be one look too low."""


class WaitingRecords(Generic[Place]):
    """Remembers, per partition, when each end was first seen, as far as the group has not passed it."""

    def __init__(self) -> None:
        self._looks: dict[Place, list[tuple[int, float]]] = {}

    def observe(self, place: Place, *, position: int, end: int, now_seconds: float) -> float:
        """Returns the age in seconds of the record at ``position``, 0 if nothing waits there.

        ``end`` is the high watermark: records of open transactions wait too.
        """
        looks = [look for look in self._looks.get(place, ()) if look[0] > position]
        if end > position and (not looks or end > looks[-1][0]):
            looks.append((end, now_seconds))
        if len(looks) > MAX_LOOKS:
            del looks[1::2]
        self._looks[place] = looks
        return now_seconds - looks[0][1] if looks else 0.0

    def forget_all_but(self, places: Collection[Place]) -> None:
        """Drops what is remembered of every other partition."""
        self._looks = {place: looks for place, looks in self._looks.items() if place in places}
