"""One worker process of a world: the real worker, poller and unit of work on simulated Kafka, disks and time.

In production a polling thread, restore threads and an event loop interleave; here the world's random generator chooses
the order. The process dies at the steps that the world chooses and loses its memory.
"""

import functools
import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from pipeline.event.duration import HOUR_MS, MINUTE_MS
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.settings import Settings
from pipeline.stream.build import STAGES
from pipeline.stream.ownership import Job, ProcessEnvironment
from pipeline.stream.poller import Batch, Poller
from pipeline.stream.restore import roll_forward
from pipeline.stream.stages.base import Context, StageSpec
from pipeline.stream.unit_of_work import UnitOfWork
from pipeline.stream.worker import Worker
from pipeline.testing.consumer import MemoryConsumer
from pipeline.testing.group import Membership, MemoryGroup
from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.member import MemoryMember
from pipeline.testing.producer import MemoryProducer
from pipeline.testing.transactions import MemoryPartition, Transaction
from pipeline.topics import EVENTS
from tests.simulation.batches import NotedProfile, ProcessedBatch
from tests.simulation.disk import Disk

COMMIT_MS, TIMER_MS, BATCH_RECORDS = 10_000, 10, 1_000
SETTINGS = tuple(
    Settings(
        clock=clock, refresh_interval_ms=6 * HOUR_MS, stream_lateness_ms=MINUTE_MS, stream_idle_ms=100,
        min_commit_interval_ms=COMMIT_MS, commit_interval_ms=COMMIT_MS, catch_up_interval_ms=COMMIT_MS,
        timer_interval_ms=TIMER_MS,
    )
    for clock in ("wall", "stream")
)  # fmt: skip
GROUP, PREFIX = SETTINGS[0].application_id, SETTINGS[0].topic_prefix
UNUSED_INPUTS = frozenset(topic for channel, topic in EVENTS.items() if channel != "web")
"""Inputs without records, which the process does not subscribe to."""
READERS = {
    topic.of(PREFIX): spec.name for spec in STAGES.values() for topic in spec.inputs if topic not in UNUSED_INPUTS
}
"""The stage that reads each topic."""


class Crashed(BaseException):
    """The process is dead. A BaseException, so that no ``except Exception`` of the dead process catches it."""


class Universe(Protocol):
    """The interface of a world to its processes."""

    chance: random.Random
    kafka: MemoryKafka
    lagging: MemoryPartition | None
    max_records: int
    """Records per batch."""

    def context(self, unit: UnitOfWork) -> Context:
        """Returns the context that the stages of a process share."""
        ...

    def at(self, process: "Process", step: str) -> None:
        """Called at every step of a process: it may die here, be refused, or pause while others act."""
        ...

    def waiting(self, process: "Process", partition: MemoryPartition) -> None:
        """Called when a restore must wait for an unsettled transaction."""
        ...


class SteppedRestores:
    """Runs restore jobs step by step, in random order."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._jobs: list[tuple[Job, Callable[[BaseException | None], None]]] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def start(self, job: Job, ended: Callable[[BaseException | None], None]) -> None:
        self._jobs.append((job, ended))

    def wait(self) -> None:
        while self._jobs:
            self.go_on(len(self._jobs))

    def go_on(self, steps: int) -> None:
        """Advance jobs at random, so many steps in all at most, and none that wants to wait."""
        waiting: list[tuple[Job, Callable[[BaseException | None], None]]] = []
        while self._jobs and steps:
            at = int(self._chance.random() * len(self._jobs))
            if not self._step(at):
                waiting.append(self._jobs.pop(at))
            steps -= 1
        self._jobs += waiting

    def _step(self, at: int) -> bool:
        """Whether the job may go on, or has ended."""
        job, ended = self._jobs[at]
        failure: BaseException | None = None
        try:
            return not next(job)
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - handed to the worker, as its threads do
            failure = error
        del self._jobs[at]
        ended(failure)
        return True


class Member(MemoryMember):
    """A member that reads the group's offsets at the assignment or at the first fetch, by chance."""

    def __init__(self, process: "Process", config: dict[str, Any]) -> None:
        super().__init__(process.world.kafka, config, process.at, process.choose)
        self._world, self._chance = process.world, process.world.chance

    def assign(self, partitions: Iterable[Any]) -> None:
        super().assign(partitions)
        if self._chance.random() < 0.5:
            positions = {place: self._group.position(place) for place in self._assigned}
            self._positions = {place: position for place, position in positions.items() if position is not None}

    def _fetch(self, limit: int) -> list[Any]:
        limit = self._world.max_records
        return super()._fetch(limit if self._chance.random() < 0.5 else self._chance.randint(1, limit))

    def _check_assigned(self, at: Any) -> None:
        assert (at.topic, at.partition) in self._assigned, f"a call for {at}, which is not assigned"

    def is_settled(self) -> bool:
        """Whether the group's offsets are stable, so that :meth:`committed` need not wait."""
        return all(self._group.position(place) is not None for place in self._assigned)


class Group(MemoryGroup):
    """A group that checks that its offsets never decrease."""

    def take(self, offsets: Mapping[Any, int], membership: Membership, transaction: Transaction) -> None:
        super().take(offsets, membership, transaction)
        assert all(offset >= self._offsets.get(place, 0) for place, offset in offsets.items()), "the group goes back"


class Producer(MemoryProducer):
    """A producer that sometimes sends without a flush, as librdkafka's thread does."""

    def __init__(self, process: "Process", config: dict[str, object]) -> None:
        super().__init__(process.world.kafka, config, process.at)
        self._chance = process.world.chance

    def poll(self, timeout: float = 0) -> int:
        if self._queue and self._chance.random() < 0.2:
            self.send()
        return super().poll(timeout)


class Process:
    """One process. ``name`` is its worker id and so determines its transactional id."""

    def __init__(self, world: Universe, name: str, member: str, disk: Disk) -> None:
        self.world, self.name, self.disk = world, name, disk
        self._chance = world.chance
        self.at = functools.partial(world.at, self)
        self.batches: list[ProcessedBatch] = []
        self.consumed: list[Batch] = []
        """Batches of the open transaction."""
        self.wakes_at = 0
        """Number of the world's action from which on it acts again."""
        self.until_ms: int | None = None
        self.restores = SteppedRestores(world.chance)
        self.unit = UnitOfWork(
            {}, f"{GROUP}-{name}", PREFIX,
            producer=functools.partial(Producer, self), within=lambda _seconds, call: call(),
        )  # fmt: skip
        self.client = Member(self, {"group.id": GROUP, "client.id": member})
        self._seconds = 0.0
        self._calls: deque[Callable[[], None]] = deque()
        """Calls that wait for the polling thread."""
        self._pace = world.chance.choice((0.3, 0.95, 0.95))
        """Probability that the polling thread runs the next call."""
        self._queue: deque[Batch] = deque()
        """Batches that were fetched and not taken."""

    @property
    def member(self) -> str:
        """Returns the current member id."""
        return self.client.member

    def start(self) -> None:
        """Fence former processes of this name and join the group."""
        self.disk.mount(self.at)
        self.unit.start()
        context = self.world.context(self.unit)
        environment = ProcessEnvironment(lambda: self._seconds, self, self.disk.open, self._roll_forward, self.restores)
        self.worker = Worker(self._specs(), context, self.unit, environment)
        self.poller = Poller(self.client, self.worker, BATCH_RECORDS, self._calls.append)
        self.worker.poller = self.poller
        self.poller.subscribe(READERS)

    def _specs(self) -> list[StageSpec]:
        noted = msgspec.structs.replace(STAGES["profile"], build=functools.partial(NotedProfile, self))
        return [noted if spec.name == noted.name else spec for spec in STAGES.values()]

    # Steps: each returns whether it did anything

    def step(self) -> bool:
        """One thing that happens in a worker."""
        chance = self._chance
        if self.client.has_news() or (self._calls and chance.random() < self._pace):
            return self.poll()
        if self.restores and chance.random() < 0.8:
            return self.restore(chance.choice((1, 10, 100, 100)))
        event = chance.random()
        if event < 0.35:
            return self.commit()
        if event < 0.5:
            return self.tick()
        return self.poll() if event < 0.6 else self.take()

    def hear(self) -> bool:
        """Let the polling thread do what it has to, until it would only fetch."""
        busy = False
        while (self.client.has_news() or self._calls) and self.poll():
            busy = True
        return busy

    def poll(self) -> bool:
        """The polling thread's next call, which may have to wait, or else a fetch."""
        if self._calls and self._chance.random() < 0.6:
            if not self.client.is_settled():
                return False
            self._calls.popleft()()
        else:  # it was under way when the call came
            self._queue += self.poller.batches(self.poller.fetch())
        self._end_if_failed()
        if not self.worker.ownership.is_ready:
            assert not self.unit._positions, "timers may commit the offsets of a former assignment"
        return True

    def restore(self, steps: int = 1_000) -> bool:
        """Go on restoring; False once there is nothing left to restore."""
        busy = bool(self.restores)
        self.restores.go_on(steps)
        self._end_if_failed()
        return busy

    def take(self) -> bool:
        """Hand the next batch to its stage, perhaps after the next fetch. Whether there was one."""
        if not self._queue or self._chance.random() < 0.4:
            self.poll()
        if not self._queue:
            return False
        if self._chance.random() < 0.1:
            self._seconds += COMMIT_MS / 1000  # so that the worker commits after the batch
        batch = self._queue.popleft()
        if batch.epoch == self.poller.epoch:
            self.consumed.append(batch)
        self.worker.take(READERS[batch.topic], batch)
        self._end_if_failed()
        return True

    def tick(self, until_ms: int | None = None) -> bool:
        """Fire what is due by the stages' clock or, as ``simulate`` does, up to a moment. Whether anything was."""
        before = len(self.batches)
        self._seconds += 2 * TIMER_MS / 1000
        self.until_ms = until_ms
        self.worker.tick()
        return len(self.batches) > before

    def commit(self) -> bool:
        """Commit the unit of work. Whether there was anything in it."""
        busy = bool(self.unit._offsets)
        self.worker.commit()
        self._end_if_failed()
        return busy

    def stop(self) -> None:
        """Leave the group in order."""
        self.poller.close()
        self._end_if_failed()

    def _end_if_failed(self) -> None:
        if self.worker.failure is not None:
            raise self.worker.failure

    # What the worker runs on

    def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's stable offsets; see :class:`pipeline.kafka.ends.Offsets`."""
        positions = {at: self.world.kafka.groups[group].position(at) for at in partitions}
        return {at: position for at, position in positions.items() if position is not None}

    def choose(self, partitions: Sequence[MemoryPartition]) -> list[MemoryPartition]:
        """Fetch from any partition first, but not from the lagging one."""
        lagging = self.world.lagging
        first = int(self._chance.random() * len(partitions))
        return [at for at in (*partitions[first:], *partitions[:first]) if at is not lagging]

    def _roll_forward(self, topic: str, partition: int, store: Any, *, is_wanted: Callable[[], bool]) -> Iterator[int]:
        return roll_forward(
            {}, topic, partition, store, is_wanted=is_wanted, consumer=self._reader, end_of=self._end_of
        )  # fmt: skip

    def _reader(self, _config: object) -> MemoryConsumer:
        return MemoryConsumer(self.world.kafka, self._restoring, max_records=self._chance.choice((2, 5, 1000)))

    def _restoring(self, partition: MemoryPartition, waits: bool) -> None:
        if waits:
            self.world.waiting(self, partition)
        else:
            self.at("restore")

    def _end_of(self, _config: object, topic: str, partition: int) -> int:
        return self.world.kafka.topic(topic)[partition].end
