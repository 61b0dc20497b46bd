"""One worker: passes batches to tasks, fires due timers and commits. Uses no Faust, starts no thread, reads no clock.

    worker = Worker(specs, context, unit, environment)
    worker.poller = Poller(client, worker, settings.batch_records)

Every method runs in the worker's thread unless its docstring states otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaException

from pipeline.errors import OperatorError
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.obs import metrics as m
from pipeline.obs.disk import explained
from pipeline.obs.log import logger
from pipeline.stream.dlq import StoppedSource
from pipeline.stream.ownership import Assignment, PartitionOwnership, ProcessEnvironment, StagePartition
from pipeline.stream.pace import CommitPace
from pipeline.stream.poller import Batch, Poller
from pipeline.stream.silence import InputSilence
from pipeline.stream.stability import StabilityWatch
from pipeline.stream.stages.base import Context, StageSpec
from pipeline.stream.task import Task
from pipeline.stream.transaction_time import SliceSize, work_seconds
from pipeline.stream.unit_of_work import Aborted, Committed, UnitOfWork
from pipeline.stream.vitals import Vitals

MAX_TICK_SECONDS = 1.0
"""Time for timers and backlogs in one transaction, during which no batch is taken."""
MAX_HOLD_SECONDS = 1.0
"""By how much a commit may come later than its interval demands, for records that arrived before the last commit."""

log = logger(__name__)


class Worker:
    """The :class:`~pipeline.stream.poller.Owner` of a poller's partitions and of the one transaction they share."""

    poller: Poller
    """Set after construction, because a poller needs its owner first."""

    def __init__(
        self, specs: Sequence[StageSpec], context: Context, unit: UnitOfWork, environment: ProcessEnvironment
    ) -> None:
        self.settings, self.metrics, self.unit = context.settings, context.metrics, unit
        self._breaker = context.breaker
        self.failure: BaseException | None = None
        """The error that ends the session, or None."""
        self.ownership = PartitionOwnership(context, specs, environment, self._ready, self.fail)
        self.offsets = environment.offsets
        self._clock = environment.clock
        self._committed_at = self._ticked_at = self._clock()
        self._worked = 0.0
        """Seconds of work in the open transaction."""
        self._pace = CommitPace(
            self.settings.min_commit_interval_ms / 1000,
            self.settings.commit_interval_ms / 1000,
            self.settings.catch_up_interval_ms / 1000,
        )
        readers = {topic.of(self.settings.topic_prefix): spec.name for spec in specs for topic in spec.inputs}
        self._vitals = Vitals(self.metrics, self.settings.topic_prefix, readers)
        self._silence = InputSilence(self.settings.topic_prefix)
        self._is_replay = self.settings.clock == "stream"
        self._work_seconds = work_seconds(self.settings)
        self._slices: dict[str, SliceSize] = {spec.name: SliceSize(self._work_seconds) for spec in specs}
        self.stability = StabilityWatch(self.offsets, self.metrics, self.settings.topic_prefix, readers)

    # Batches

    def take(self, stage: str, batch: Batch) -> None:
        """Processes a batch inside the open transaction. Commits if the transaction is full or its interval is over.

        Commits after the last batch of a fetch, or in the middle of a batch if the work takes too long for one
        transaction.
        """
        if not self.poller.take(batch) or batch.topic in self._breaker.stopped:
            return
        epoch = self.poller.epoch
        started = self._clock()
        for part in self._parts(batch, self._slices[stage]):
            if self.poller.epoch != epoch:  # a commit in between was refused: the rest is fetched again
                return
            self._process(stage, batch, part)
            if batch.topic in self._breaker.stopped:
                self._stop_source(self._breaker.stopped[batch.topic])
                break
        self._vitals.batch_processed(stage, batch, self._clock() - started)
        if self.unit.records >= self.settings.commit_records or self._is_commit_due():
            self.commit()

    def _is_commit_due(self) -> bool:
        if self.poller.has_untaken:  # their changes join this transaction, unless it is open for too long
            return self._worked >= self._work_seconds
        return self.is_interval_over()

    def _parts(self, batch: Batch, size: SliceSize) -> Iterator[Sequence[Any]]:
        """Yields a batch in slices, between which it commits if the transaction has been open for long."""
        start = 0
        while start < len(batch):
            if start and self._worked >= self._work_seconds:
                self.commit()
            part = batch[start : start + size.records]
            start += len(part)
            yield part

    def _process(self, stage: str, batch: Batch, part: Sequence[Any]) -> None:
        started = self._clock()
        self.ownership.tasks[StagePartition(stage, batch.partition)].logic.on_batch(batch.topic, part)
        next_offset = part[-1].offset() + 1
        self.unit.consumed(batch.topic, batch.partition, next_offset, len(part))
        self.unit.poll()
        self._silence.processed(TopicPartition(batch.topic, batch.partition), next_offset)
        seconds = self._clock() - started
        self._worked += seconds
        self._slices[stage].took(len(part), seconds)

    def _stop_source(self, source: StoppedSource) -> None:
        log.warning("source_stopped", topic=source.topic, reason=source.reason, action="stitchline dlq resume")
        self._vitals.source(source, is_stopped=True)
        self.poller.pause(source.topic)

    def resume_sources(self) -> None:
        """Reads the sources again that the loss breaker has stopped, from the first record that was not taken."""
        resumed = self._breaker.resume()
        for source in resumed.values():
            log.info("source_resumed", topic=source.topic)
            self._vitals.source(source, is_stopped=False)
        if resumed and self.ownership.is_ready:  # else the partitions are resumed once they are restored
            self.commit()
            self.poller.rewind()
            self.poller.resume([at for at in self.poller.held if at.topic in resumed])

    def tick(self) -> None:
        """Fires due timers inside the open transaction, at most once per timer interval."""
        now, interval = self._clock(), self.settings.timer_interval_ms / 1000
        if now < self._ticked_at + interval:
            return
        self._ticked_at = now
        for task in self.ownership.tasks.values():
            if self._is_replay:
                self._silence.report(self.poller, task, now)
            if task.logic.has_work:
                place = task.input(self.settings.topic_prefix)
                if self.unit.knows_position(*place) and self._tick(task, now):
                    self.unit.hold_position(*place)
                    self._ticked_at = now - interval  # more timers may be due: check again after this commit
        self._worked += self._clock() - now

    def _tick(self, task: Task, started: float) -> bool:
        """Lets a task do what needs no new record, until nothing is left or it has taken long enough."""
        busy = False
        while task.logic.tick():
            busy = True
            if self._clock() - started >= min(MAX_TICK_SECONDS, self._work_seconds):
                break
        return busy

    def seconds_to_commit(self) -> float:
        """Returns the seconds left of the commit interval; see :mod:`pipeline.stream.pace`.

        The interval begins with the last commit, so a worker that was idle commits its next records at once.
        """
        return self._committed_at + self._pace.interval(self.poller.backlog) - self._clock()

    def is_interval_over(self) -> bool:
        """Returns whether the commit interval is over and no records are about to come that it should hold.

        A commit holds every record that arrived before the one before it. Otherwise records would wait for one more
        commit whenever the work of a fetch fills the interval.
        """
        left = self.seconds_to_commit()
        return left <= 0 and not (self.poller.has_earlier and left > -MAX_HOLD_SECONDS)

    def commit(self) -> None:
        """Commits the unit of work. If Kafka refuses, rewinds to the committed state."""
        started = self._clock()
        records, worked = self.unit.records, self._worked
        self._show_held(is_committed=False)
        try:
            done = self.unit.commit(list(self.ownership.tasks.values()), lambda: self.poller.group)
        except Aborted as error:
            log.warning("transaction_aborted", error=str(error), records=records)
            self.metrics.add(m.ABORTS, 1, "refused")
            self._start_over()
            return
        if done is not None:
            self._note_commit(done, worked, started)
        self._show_held(is_committed=True)

    def _note_commit(self, done: Committed, worked: float, started: float) -> None:
        before, self._committed_at, self._worked = self._committed_at, self._clock(), 0.0
        self.poller.note_commit()
        seconds = self._committed_at - started
        self._pace.committed(done.records, worked, seconds, self._committed_at - before)
        self._vitals.committed(done, seconds)

    def _show_held(self, *, is_committed: bool) -> None:
        counts = [(place, task.logic.held) for place, task in self.ownership.tasks.items()]
        self._vitals.held(counts, is_committed=is_committed)

    def _start_over(self) -> None:
        self._committed_at, self._worked = self._clock(), 0.0
        self._vitals.aborted()
        self._silence.forget()
        for task in self.ownership.tasks.values():
            task.start_over()
        self._show_held(is_committed=True)
        self.poller.rewind()

    # PartitionOwnership

    def on_assign(self, partitions: set[TopicPartition]) -> None:
        """Starts the restore of the partitions' state in other threads. The poller resumes the partitions after it."""
        self.metrics.add(m.REBALANCES, 1)
        self.ownership.take_over(partitions)

    def _ready(self, assignment: Assignment) -> None:
        self.unit.set_committed_positions(assignment.positions)
        self._vitals.assigned(assignment.positions)
        self.poller.resume([at for at in assignment.partitions if at.topic not in self._breaker.stopped])

    def end_restore(self) -> None:
        """Interrupt a restore and wait for its end. Also called from the polling thread, so that only that waits."""
        self.ownership.end_restore()

    def on_revoke(self, partitions: set[TopicPartition]) -> None:
        """Commit, then release the partitions: the next owner starts where this one stopped."""
        self.end_restore()
        try:
            self.commit() if self.failure is None else self._abort()
        except Exception as error:  # noqa: BLE001 - the rebalance must not wait for this worker; the next owner rolls forward
            self.fail(error)
        self._release(partitions)

    def on_lost(self, partitions: set[TopicPartition]) -> None:
        """Aborts the open transaction, because the group has already assigned the partitions to other workers."""
        self.end_restore()
        self._abort()
        self.metrics.add(m.ABORTS, 1, "lost")
        self._release(partitions)

    def _abort(self) -> None:
        """Aborts the open transaction."""
        try:
            self.unit.abort()
        except Exception as error:  # noqa: BLE001 - the rebalance must not wait for this worker
            self.fail(error)

    def _release(self, partitions: set[TopicPartition]) -> None:
        self.ownership.release()
        self._worked = 0.0
        # Otherwise a timer that fires before the next assignment's positions are known would re-commit an old offset.
        self.unit.set_committed_positions({})
        self._vitals.aborted()
        self._show_held(is_committed=True)
        self._silence.forget()
        log.info("partitions_released", partitions=len({at.partition for at in partitions}))

    # Health and end

    def show(self, ends: Mapping[TopicPartition, int]) -> None:
        """Sets the gauges. ``ends`` are the known high watermarks."""
        self._vitals.partitions(self.ownership.places, self.ownership.tasks)
        self._vitals.state(task.state for task in self.ownership.tasks.values())
        self._vitals.lag(self.poller, ends)

    def why_not_ready(self) -> list[str]:
        """Returns the reasons; empty if every assigned partition is being processed. May be called from any thread."""
        stopped = [
            f"stopped reading {source.topic}: {source.reason}, then run: stitchline dlq resume"
            for source in self._breaker.stopped.values()
        ]
        return [*self.ownership.why_not_ready(), *self.stability.reasons(), *stopped]

    def fail(self, error: BaseException) -> None:
        """Aborts and ends the session with an error; the next session or process restores from the changelog."""
        if self.failure is None:
            error = explained(error)
            self.failure = error
            if not isinstance(error, KafkaException | OperatorError):  # those are reported where the session ends
                log.error("worker_failed", error=f"{type(error).__name__}: {error}", exc_info=error)
