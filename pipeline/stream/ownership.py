"""The partitions that a worker owns, and the progress of each stage's restore.

Jobs that run beside the worker take an assignment over: one reads the group's committed offsets, and one per stage and
partition opens the store and rolls it forward. The poller fetches from the partitions after all jobs have ended.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

from pipeline.kafka.ends import Offsets
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs import metrics as m
from pipeline.obs.log import logger
from pipeline.state.store import PartitionStore
from pipeline.stream.restore import Interrupted
from pipeline.stream.stages.base import Context, StageSpec
from pipeline.stream.task import Task
from pipeline.stream.unit_of_work import settled_within_seconds
from pipeline.topics import CHANGELOGS, StageName

OFFSETS_RETRY_SECONDS = 0.1
MAX_NAMED = 8
"""Restoring partitions that a health page lists by name; it only counts the others."""

Job: TypeAlias = Iterator[float]
"""A restore in steps. Yields the seconds to wait before the next step."""
Clock: TypeAlias = Callable[[], float]
"""Returns monotonic seconds, such as ``time.monotonic``."""
RollForward: TypeAlias = Callable[..., Iterator[int]]
""":func:`~pipeline.stream.restore.roll_forward` with its clients bound: (topic, partition, store, is_wanted=…)."""

log = logger(__name__)


class StagePartition(NamedTuple):
    """A stage on one of its partitions."""

    stage: str
    partition: int


class Restores(Protocol):
    """Runs restore jobs; threads in production, steps of a seeded world in the simulation."""

    def start(self, job: Job, ended: Callable[[BaseException | None], None]) -> None:
        """Runs the job to its end, then calls ``ended`` in the worker's thread with the failure or None."""
        ...

    def wait(self) -> None:
        """Returns once every started job has ended."""
        ...


class ProcessEnvironment(NamedTuple):
    """Clock, brokers, stores and threads of a worker. The simulation passes its own."""

    clock: Clock
    offsets: Offsets
    open_store: Callable[[StageSpec, int], PartitionStore]
    roll_forward: RollForward
    restores: Restores


class Assignment:
    """Partitions that were assigned together, and the progress of their restore."""

    def __init__(self, partitions: set[TopicPartition], places: Sequence[StagePartition], started: float) -> None:
        self.partitions, self.places, self.started = partitions, places, started
        self.is_wanted = True
        """False once the partitions are being taken away."""
        self.unfinished = 1 + len(places)
        """Jobs that have not ended."""
        self.positions: dict[TopicPartition, int] = {}
        """The group's committed offsets, where they are known."""


class PartitionOwnership:
    """The current assignment and the tasks over its restored stores."""

    def __init__(
        self, context: Context, specs: Sequence[StageSpec], environment: ProcessEnvironment,
        ready: Callable[[Assignment], None], failed: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        """Calls ``ready`` when an assignment is restored, and ``failed`` with the error that prevents it."""
        self._context, self._specs = context, {spec.name: spec for spec in specs}
        self._readers: dict[str, list[str]] = {}
        """Topic to the stages that read it."""
        for spec in specs:
            for topic in spec.inputs:
                self._readers.setdefault(topic.of(context.settings.topic_prefix), []).append(spec.name)
        self._on = environment
        self._ready, self._failed = ready, failed
        self._assignment: Assignment | None = None
        self.tasks: dict[StagePartition, Task] = {}
        """The tasks of restored partitions."""
        self.is_ready = False
        """Whether every partition of the assignment is being processed."""

    @property
    def places(self) -> Sequence[StagePartition]:
        """Returns every owned stage and partition, restored or not. May be called from any thread."""
        assignment = self._assignment
        return assignment.places if assignment is not None else ()

    def restoring(self) -> list[StagePartition]:
        """Returns every owned stage and partition that is not restored yet."""
        return [place for place in self.places if place not in self.tasks]

    def why_not_ready(self) -> list[str]:
        """Returns at most ``MAX_NAMED`` reasons and one that counts the others; empty if the worker is ready."""
        if self.is_ready:
            return []
        if self._assignment is None:
            return ["no partitions assigned yet"]
        restoring = self.restoring()
        reasons = [f"partition {partition} of {stage} is restoring" for stage, partition in restoring[:MAX_NAMED]]
        if len(restoring) > MAX_NAMED:
            reasons.append(f"{len(restoring) - MAX_NAMED} more partitions are restoring")
        return reasons or ["waiting for the committed offsets of the group"]

    def take_over(self, partitions: set[TopicPartition]) -> None:
        """Starts the restore of the partitions. Calls ``ready`` after it."""
        if not partitions:
            self.is_ready = True
            return
        assignment = Assignment(partitions, self._places(partitions), self._on.clock())
        self._assignment = assignment
        ended = partial(self._ended, assignment)
        self._on.restores.start(self._find_offsets(assignment), partial(ended, None))
        for place in assignment.places:
            stores: list[PartitionStore] = []
            self._on.restores.start(self._restore(assignment, place, stores), partial(ended, (place, stores)))

    def end_restore(self) -> None:
        """Interrupts running restores and waits for their end. May be called from the polling thread."""
        if self._assignment is not None:
            self._assignment.is_wanted = False
        self._on.restores.wait()

    def release(self) -> None:
        """Closes every store. Call :meth:`end_restore` first, so that no job opens a store afterwards."""
        self.is_ready, self._assignment = False, None
        tasks = list(self.tasks.values())
        self.tasks.clear()
        for task in tasks:
            try:
                task.state.close()
            except Exception as error:  # noqa: BLE001 - of a full disk; the other stores must be closed too
                self._failed(error)

    def _places(self, partitions: Collection[TopicPartition]) -> list[StagePartition]:
        return sorted(
            {StagePartition(stage, at.partition) for at in partitions for stage in self._readers.get(at.topic, ())}
        )

    # Jobs, which may run in other threads

    def _find_offsets(self, assignment: Assignment) -> Job:
        """Reads the group's committed offsets, which are stable once the former owner's last transaction has ended.

        Gives up once every transaction must have ended. Timers of a partition without an offset then wait for its
        next record.
        """
        positions, partitions = assignment.positions, assignment.partitions
        deadline = self._on.clock() + settled_within_seconds(self._context.settings.transaction_timeout_ms)
        group = self._context.settings.application_id
        while True:
            if not assignment.is_wanted:
                raise Interrupted
            positions |= self._on.offsets.committed(group, partitions - positions.keys())
            if positions.keys() >= partitions or self._on.clock() > deadline:
                return
            yield OFFSETS_RETRY_SECONDS

    def _restore(self, assignment: Assignment, place: StagePartition, stores: list[PartitionStore]) -> Job:
        """Opens a store, rolls it forward and appends it to ``stores``."""
        stage, partition = place
        if not assignment.is_wanted:
            raise Interrupted
        store = self._on.open_store(self._specs[StageName(stage)], partition)
        started = self._on.clock()
        try:
            topic = CHANGELOGS[stage].of(self._context.settings.topic_prefix)
            for rows in self._on.roll_forward(topic, partition, store, is_wanted=lambda: assignment.is_wanted):
                if rows:
                    self._context.metrics.add(m.RESTORE_ROWS, rows, stage)
                yield 0
        except BaseException:
            store.close()
            raise
        self._context.metrics.observe(m.RESTORE_SECONDS, self._on.clock() - started, stage)
        stores.append(store)

    # Back in the worker's thread

    def _ended(
        self,
        assignment: Assignment,
        restored: tuple[StagePartition, list[PartitionStore]] | None,
        failure: BaseException | None,
    ) -> None:
        assignment.unfinished -= 1
        if failure is not None:
            if not isinstance(failure, Interrupted):
                self._failed(failure)
            return
        try:
            if restored is not None:
                place, (store,) = restored
                self.tasks[place] = Task(self._specs[StageName(place.stage)], place.partition, self._context, store)
            if assignment.is_wanted and not assignment.unfinished:
                self._finish(assignment)
        except Exception as error:  # noqa: BLE001 - after any error the state is incomplete, so the process must end
            self._failed(error)

    def _finish(self, assignment: Assignment) -> None:
        self._ready(assignment)
        self.is_ready = True
        partitions = len({at.partition for at in assignment.partitions})
        seconds = round(self._on.clock() - assignment.started, 3)
        log.info("partitions_ready", partitions=partitions, seconds=seconds)
