"""Which partitions a worker owns, and how far each stage's restore is.

An assignment is taken over in jobs that run beside the worker: one finds where the group is, one per stage and
partition opens the store and rolls it forward. The partitions flow once all of them have ended.
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
from pipeline.stream.unit_of_work import TIMEOUT_SECONDS
from pipeline.topics import CHANGELOGS, StageName

OFFSETS_RETRY_SECONDS = 0.05
MAX_NAMED = 8
"""Restoring partitions that a health page names; it counts the others."""

Job: TypeAlias = Iterator[float]
"""A restore in steps. Yields the seconds to wait before the next step."""
Clock: TypeAlias = Callable[[], float]
"""Seconds that only rise, such as ``time.monotonic``."""
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
        """Run the job to its end; ``ended`` then gets its failure, or None, in the worker's thread."""
        ...

    def wait(self) -> None:
        """Return once every started job has ended."""
        ...


class ProcessEnvironment(NamedTuple):
    """What a worker runs on. The simulation passes its own."""

    clock: Clock
    offsets: Offsets
    open_store: Callable[[StageSpec, int], PartitionStore]
    roll_forward: RollForward
    restores: Restores


class Assignment:
    """Partitions that were assigned at once, and what their restore has come to."""

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
        """``ready`` is called when an assignment is restored; ``failed`` with what makes that impossible."""
        self._context, self._specs = context, {spec.name: spec for spec in specs}
        self._readers: dict[str, list[str]] = {}
        """The stages that read a topic."""
        for spec in specs:
            for topic in spec.inputs:
                self._readers.setdefault(topic.of(context.settings.topic_prefix), []).append(spec.name)
        self._on = environment
        self._ready, self._failed = ready, failed
        self._assignment: Assignment | None = None
        self.tasks: dict[StagePartition, Task] = {}
        """Of restored partitions."""
        self.is_ready = False
        """Whether every partition of the assignment is being processed."""

    @property
    def places(self) -> Sequence[StagePartition]:
        """Everything that is owned, restored or not."""
        return self._assignment.places if self._assignment is not None else ()

    def restoring(self) -> list[StagePartition]:
        """What is owned and not restored yet."""
        return [place for place in self.places if place not in self.tasks]

    def why_not_ready(self) -> list[str]:
        """Reasons in plain words, ``MAX_NAMED`` of them and one that counts the others; empty when ready."""
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
        """Restore the partitions; ``ready`` is called when they may flow."""
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
        """Interrupt what is being restored and wait for its end. May be called from the polling thread."""
        if self._assignment is not None:
            self._assignment.is_wanted = False
        self._on.restores.wait()

    def release(self) -> None:
        """Close every store. Call :meth:`end_restore` before, so that none is opened afterwards."""
        self.is_ready, self._assignment = False, None
        for task in self.tasks.values():
            task.state.close()
        self.tasks.clear()

    def _places(self, partitions: Collection[TopicPartition]) -> list[StagePartition]:
        return sorted(
            {StagePartition(stage, at.partition) for at in partitions for stage in self._readers.get(at.topic, ())}
        )

    # Jobs, which may run in other threads

    def _find_offsets(self, assignment: Assignment) -> Job:
        """Where the group is, once the former owner's last transaction is settled.

        If that takes longer than a transaction may, the worker goes on without: the timers of a partition then wait
        until something of it is consumed.
        """
        positions, partitions = assignment.positions, assignment.partitions
        deadline = self._on.clock() + TIMEOUT_SECONDS
        group = self._context.settings.application_id
        while True:
            if not assignment.is_wanted:
                raise Interrupted
            positions |= self._on.offsets.committed(group, partitions - positions.keys())
            if positions.keys() >= partitions or self._on.clock() > deadline:
                return
            yield OFFSETS_RETRY_SECONDS

    def _restore(self, assignment: Assignment, place: StagePartition, stores: list[PartitionStore]) -> Job:
        """Open a store and roll it forward; ``stores`` gets it at the end."""
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
        except Exception as error:  # noqa: BLE001 - whatever it is, the process must not run on without its state
            self._failed(error)

    def _finish(self, assignment: Assignment) -> None:
        self._ready(assignment)
        self.is_ready = True
        partitions = len({at.partition for at in assignment.partitions})
        seconds = round(self._on.clock() - assignment.started, 3)
        log.info("partitions_ready", partitions=partitions, seconds=seconds)
