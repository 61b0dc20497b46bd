"""One worker process of a world: real tasks, real unit of work, real restore; Kafka, disks and time are the world's.

It does what ``pipeline.stream.worker`` and the transport do, one step at a time: hear of the group, restore, take a
batch, commit. It dies where the world says so, with everything it had in memory.
"""

import contextlib
import functools
import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, cast

from pipeline.event.duration import HOUR_MS, MINUTE_MS
from pipeline.profile.logic import Timer
from pipeline.settings import Settings
from pipeline.state.store import Change
from pipeline.stream.build import STAGES
from pipeline.stream.restore import Interrupted, roll_forward
from pipeline.stream.stages.base import Context
from pipeline.stream.stages.profile import ProfileStage
from pipeline.stream.unit_of_work import Aborted, UnitOfWork
from pipeline.stream.worker import Task
from pipeline.testing.consumer import MemoryConsumer
from pipeline.testing.group import Membership
from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.log import MemoryRecord
from pipeline.testing.producer import MemoryProducer
from pipeline.testing.store import MemoryStore
from pipeline.testing.transactions import MemoryPartition
from pipeline.topics import CHANGELOGS, EVENTS

SETTINGS = tuple(
    Settings(clock=clock, refresh_interval_ms=6 * HOUR_MS, stream_lateness_ms=MINUTE_MS) for clock in ("wall", "stream")
)
GROUP, PREFIX = SETTINGS[0].application_id, SETTINGS[0].topic_prefix
UNUSED_INPUTS = frozenset(topic.of(PREFIX) for channel, topic in EVENTS.items() if channel != "web")
"""Inputs that nobody writes to."""


class ProcessedBatch(NamedTuple):
    """What a PROFILE stage was given to do at once, and what it was told the time is."""

    partition: int
    now_ms: int
    records: list[MemoryRecord]
    timers: list[Timer]
    """Those that woke a profile."""


class Crashed(BaseException):
    """The process is gone: nothing of it may react, not even by ``except Exception``."""


class ProcessEnvironment(Protocol):
    """What a process asks of its world."""

    chance: random.Random
    kafka: MemoryKafka
    lagging: MemoryPartition | None
    max_records: int
    """In a batch."""

    def context(self, unit: UnitOfWork) -> Context:
        """What the stages of a process share."""
        ...

    def at(self, process: "Process", step: str) -> None:
        """The process has come to a step: it may die here, be refused, or stand still while others act."""
        ...

    def waiting(self, process: "Process", partition: MemoryPartition) -> None:
        """The process cannot restore further before a transaction is settled."""
        ...


class RecordedTimers:
    """A stage's timers for the time of one tick, with what woke somebody."""

    def __init__(self, stage: Any) -> None:
        self._timers, self._profiles = stage._timers, stage._logic._profiles
        self.until_ms, self.woke = 0, list[Timer]()

    def take(self, until_ms: int, limit: int) -> list[Timer]:
        result = cast("list[Timer]", self._timers.take(until_ms, limit))
        self.until_ms, self.woke = until_ms, [item for item in result if self._wakes(*item)]
        return result

    def _wakes(self, due_ms: int, profile_id: str) -> bool:
        row = self._profiles.get(profile_id)
        return row is not None and row.schedule.timer_ms == due_ms


class DiskStore(MemoryStore):
    """A store whose process may die before or after it writes."""

    def __init__(self) -> None:
        super().__init__()
        self.at: Callable[[str], None] = lambda _step: None

    def apply(self, changes: Iterable[Change], position: int) -> None:
        result = list(changes)
        self.at("write")
        super().apply(result, position)
        self.at("written")

    def copy(self) -> "DiskStore":
        """The folder as it is now."""
        result = DiskStore()
        for family, rows in self.families.items():
            result.families[family].update(rows)
        result._position = self._position
        return result


class Disk:
    """The stores of one worker id. They outlive its processes, at the last write or, after a power cut, before it."""

    def __init__(self) -> None:
        self.stores: dict[tuple[str, int], DiskStore] = {}
        self._earlier: dict[tuple[str, int], DiskStore] = {}

    def open(self, stage: str, partition: int, at: Callable[[str], None]) -> DiskStore:
        store = self.stores.setdefault((stage, partition), DiskStore())
        store.at = at
        return store

    def remember(self) -> None:
        """What a power cut later on will bring back, at best."""
        self._earlier = {place: store.copy() for place, store in self.stores.items()}

    def lose_power(self) -> None:
        """The last writes had not reached the disk."""
        self.stores.update(self._earlier)
        self._earlier = {}

    def copy(self) -> "Disk":
        """For a process that is started while its predecessor still runs, elsewhere."""
        result = Disk()
        result.stores = {place: store.copy() for place, store in self.stores.items()}
        return result


class Process:
    """From its start to its death. ``name`` is its worker id, and so its transactional id."""

    def __init__(self, world: ProcessEnvironment, name: str, member: str, disk: Disk) -> None:
        self.name, self.disk = name, disk
        self._world, self._chance = world, world.chance
        self._at = functools.partial(world.at, self)
        self.member, self._rejoined = member, 0
        self._membership = Membership(GROUP, member, -1)
        self._group = world.kafka.groups[GROUP]
        self.tasks: dict[tuple[str, int], Task] = {}
        self._unrestored: list[tuple[str, int]] = []
        self._inputs: list[tuple[Task, MemoryPartition]] = []
        self._positions: dict[tuple[str, int], int] = {}
        self._unasked: list[tuple[str, int]] = []
        """Inputs of stages with timers, where it is not known yet how far the group is."""
        self.batches: list[ProcessedBatch] = []
        """PROFILE's, in the open transaction."""
        self.gives_up = False
        """Stop restoring for now, as if the partitions had been taken away and given back."""
        self.unit = UnitOfWork(
            {}, f"{GROUP}-{name}", PREFIX, producer=self._make_producer, watchdog=contextlib.nullcontext()
        )

    def _make_producer(self, config: dict[str, object]) -> MemoryProducer:
        self._producer = MemoryProducer(self._world.kafka, config, self._at)
        return self._producer

    def start(self) -> None:
        """Fence former processes of this name and ask the group for partitions."""
        self.unit.start()
        self._context = self._world.context(self.unit)
        self._group.join(self.member)

    # Steps: each says whether it did anything

    def step(self) -> bool:
        """One thing that a worker does."""
        if self.hear():
            return True
        if self._unrestored:
            return self.restore()
        event = self._chance.random()
        if event < 0.35:
            return self.commit()
        return self.tick() if event < 0.5 else self.take()

    def hear(self) -> bool:
        """Hear of the group, as a poll does: partitions taken away, given, or lost without a word."""
        group = self._group
        if group.has(self._membership):
            if not group.rebalancing or self.member in group.joining:
                return False
            self._revoked()
        elif self.member in group.joining:
            return False
        elif self.member in group.members:
            self._assigned()
        else:
            self._lost()
        return True

    def restore(self) -> bool:
        """Roll each partition's store forward; the partitions flow when all are done."""
        self.gives_up = False
        if not self._unrestored or not self._stand():
            return False
        while self._unrestored:
            stage, partition = self._unrestored[-1]
            store = self.disk.open(stage, partition, self._at)
            try:
                roll_forward(
                    {}, CHANGELOGS[stage].of(PREFIX), partition, store,
                    is_wanted=lambda: not self.gives_up, progress=lambda _rows: None,
                    consumer=self._reader, end_of=self._end_of,
                )  # fmt: skip
            except Interrupted:
                return False
            self.tasks[stage, partition] = Task(STAGES[stage], partition, self._context, store)
            self._unrestored.pop()
        kafka = self._world.kafka
        self._inputs = [
            (task, kafka.topic(topic)[task.partition])
            for task in self.tasks.values()
            for topic in (topic.of(PREFIX) for topic in task.spec.inputs)
            if topic not in UNUSED_INPUTS
        ]
        return True

    def take(self) -> bool:
        """Give the next records of one partition to their stage."""
        inputs, chance = self._inputs, self._chance
        first = int(chance.random() * len(inputs))
        for task, partition in inputs[first:] + inputs[:first]:
            place = partition.topic, partition.number
            position = self._position(place)
            if position is None or position == partition.end or partition is self._world.lagging:
                continue
            batch, behind = partition.committed(position, chance.randint(1, self._world.max_records))
            self._positions[place] = behind
            if batch:
                if isinstance(task.logic, ProfileStage):
                    self.batches.append(ProcessedBatch(task.partition, task.logic._now_ms(), batch, []))
                task.logic.on_batch(partition.topic, batch)
                self.unit.consumed(*place, batch[-1].offset() + 1, len(batch))
                if chance.random() < 0.2:
                    self._producer.send()
                self.unit.poll()
                return True
        return False

    def tick(self, now_ms: int | None = None) -> bool:
        """Let tasks live through what has fallen due, as the worker does, or up to a moment, as ``simulate`` does."""
        busy = False
        for task in self.tasks.values() if not self._unrestored else ():
            if task.spec.has_timers:
                stage: Any = task.logic
                timers = stage._timers
                noted = stage._timers = RecordedTimers(stage)
                woken = stage.tick(now_ms)
                stage._timers = timers
                if woken:
                    self.batches.append(ProcessedBatch(task.partition, noted.until_ms, [], noted.woke))
                    self.unit.hold_position(*task.input(PREFIX))
                    busy = True
        return busy

    def commit(self) -> bool:
        """Commit the unit of work; where Kafka refuses, start over from what is durable."""
        try:
            return self.unit.commit(list(self.tasks.values()), lambda: self._membership) is not None
        except Aborted:
            for task in self.tasks.values():
                task.start_over()
            self._positions.clear()
            self.batches.clear()
            return True

    # Ownership

    def _assigned(self) -> None:
        self._membership = Membership(GROUP, self.member, self._group.generation)
        owned = self._group.members[self.member]
        self._unrestored = [(stage, partition) for partition in owned for stage in STAGES]
        self._chance.shuffle(self._unrestored)
        self._standing: dict[tuple[str, int], int] = {}
        timed = [spec for spec in STAGES.values() if spec.has_timers]
        self._unasked = [(topic.of(PREFIX), at) for spec in timed for topic in spec.inputs for at in owned]
        if self._chance.random() < 0.5:  # else the positions are asked for when the first batch is
            for place in [(t.of(PREFIX), p) for s, p in self._unrestored for t in STAGES[s].inputs]:
                self._position(place)
        self._at("assigned")

    def _revoked(self) -> None:
        self._at("revoke")
        self.commit()
        self._at("revoked")
        self._let_go()
        self._group.join(self.member)

    def _lost(self) -> None:
        self.unit.abort()
        self.batches.clear()
        self._let_go()
        self._rejoined += 1
        self.member = f"{self.member.partition('+')[0]}+{self._rejoined}"
        self._group.join(self.member)

    def _let_go(self) -> None:
        for task in self.tasks.values():
            task.state.close()
        self.tasks.clear()
        self._inputs, self._unrestored = [], []
        self._positions.clear()

    def _position(self, place: tuple[str, int]) -> int | None:
        value = self._positions.get(place)
        if value is None:
            value = self._group.position(place)
            if value is not None:
                self._positions[place] = value
        return value

    # Restoring

    def _stand(self) -> bool:
        """Ask where the group is, until it knows: a transaction with offsets may be undecided or unmarked."""
        while self._unasked:
            result = self._settled(self._unasked[-1])
            if result is None:
                return False
            self._standing[self._unasked.pop()] = result
        self.unit.set_committed_positions(self._standing)
        return True

    def _settled(self, place: tuple[str, int]) -> int | None:
        return self._group.position(place)

    def _reader(self, _config: object) -> MemoryConsumer:
        return MemoryConsumer(self._world.kafka, self._restoring, max_records=self._chance.choice((2, 5, 1000)))

    def _restoring(self, partition: MemoryPartition, waits: bool) -> None:
        if waits:
            self._world.waiting(self, partition)
        else:
            self._at("restore")

    def _end_of(self, _config: object, topic: str, partition: int) -> int:
        return self._world.kafka.topic(topic)[partition].end
