"""Records of every followed topic, from a simulated shop day: in several partitions, each key in one of them."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any
from zlib import crc32

from pipeline.demo.shop import shop_day
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.state import layout
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ACTIONS, ASSIGNMENTS, CHANGELOGS, CHANGES, SEGMENTS, UPDATES, StageName, Topic
from tests.support.simulated import Story, decision

PARTITIONS = 3
END_MS = 1_772_366_400_000
PUBLIC = (UPDATES, CHANGES, SEGMENTS, ACTIONS)
CHUNK = 60
"""Events between two commits of the simulated worker: each gives the changelogs another version of the rows."""


class ModelRecords:
    """A deployment's topics in memory."""

    def __init__(self, seed: int, people: int = 40, events: int = 900, prefix: str = "cdp") -> None:
        self.prefix = prefix
        self.rules: Rules = load_rules()
        self.story = Story(self.rules, prefix)
        self.by_place: dict[tuple[str, int], list[MemoryRecord]] = {}
        self._ends: Counter[tuple[str, int]] = Counter()
        self._rows: dict[tuple[str, bytes], bytes] = {}
        self._taken: list[MemoryRecord] = []
        self._keep_assignments()
        day = shop_day(END_MS, seed=seed, people=people, events=events)
        for start in range(0, len(day.events), CHUNK):
            self.tell(*day.events[start : start + CHUNK])

    def tell(self, *messages: Any) -> None:
        """Process events and decisions, and take what the stages wrote."""
        self.story.tell(*messages)
        for record in self._taken:
            self._add(ASSIGNMENTS.of(self.prefix), record.key(), record.value())
        self._taken.clear()
        for topic in PUBLIC:
            for record in self.story.simulation.take(topic):
                self._add(topic.of(self.prefix), record.key(), record.value())
        for stage, family in ((StageName.PROFILE, layout.PROFILES), (StageName.STITCH, layout.NODES)):
            for key, row in self.story.simulation.stores[stage].scan(family):
                if self._rows.get((family, key)) != row:
                    self._rows[family, key] = row
                    self._add(CHANGELOGS[stage].of(self.prefix), family.encode() + b"/" + key, row)

    def _keep_assignments(self) -> None:
        """INTAKE takes them from the log before a test could."""
        log = self.story.simulation.log
        take = log.take

        def keeping(topic: Topic) -> list[MemoryRecord]:
            records = take(topic)
            self._taken += records if topic is ASSIGNMENTS else []
            return records

        log.take = keeping  # type: ignore[method-assign]

    def unlink(self, a: str, b: str) -> None:
        """An operator's decision."""
        self.tell(decision("unlink", a, b, END_MS))

    def delete(self, topic: str, key: bytes) -> None:
        """Write a tombstone."""
        self._add(topic, key, None)

    def _add(self, topic: str, key: bytes | str | None, value: bytes | None) -> None:
        key = key.encode() if isinstance(key, str) else key
        place = (topic, crc32(key or b"") % PARTITIONS)
        # Offsets with gaps, as transaction markers and compaction leave them.
        offset, self._ends[place] = self._ends[place], self._ends[place] + 1 + (self._ends[place] % 5 == 0)
        record = MemoryRecord(topic, offset, key, value, None, partition=place[1])
        self.by_place.setdefault(place, []).append(record)

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        """The end offset of each partition."""
        return dict(self._ends)

    def batches(self, seed: int, *, begin: dict[tuple[str, int], int] | None = None) -> Iterator[list[MemoryRecord]]:
        """All records from ``begin`` on, in random batches: the order holds within each partition only."""
        random, known = Random(seed), begin or {}
        waiting = {
            place: [record for record in records if record.offset() >= known.get(place, 0)]
            for place, records in self.by_place.items()
        }
        while any(waiting.values()):
            batch: list[MemoryRecord] = []
            for place in random.sample(sorted(waiting), random.randint(1, len(waiting))):
                count = random.randint(0, 40)
                batch += waiting[place][:count]
                waiting[place] = waiting[place][count:]
            yield batch
