"""One worker process: who owns which partitions, what is restored, when the unit of work commits."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import confluent_kafka
from faust.types import TP

from pipeline.kafka.ends import Ends
from pipeline.obs import metrics as m
from pipeline.obs.log import logger
from pipeline.settings import Settings
from pipeline.state.store import PartitionStore, RocksEngine, RocksOptions
from pipeline.stream.restore import Interrupted, roll_forward
from pipeline.stream.stability import StabilityWatch
from pipeline.stream.stages.base import Context, Stage, StageSpec
from pipeline.stream.transport import Batch, BatchConsumer, Owner
from pipeline.stream.unit_of_work import TIMEOUT_SECONDS, Aborted, UnitOfWork
from pipeline.stream.vitals import INTERVAL_SECONDS, Vitals
from pipeline.topics import CHANGELOGS

STAND_SECONDS = 0.05
"""Between two questions where the group is."""
RESTORE_THREADS = 6
"""Partitions restored at once: most of the time goes by waiting for the broker."""

log = logger(__name__)


class Task:
    """One stage on one restored partition."""

    def __init__(self, spec: StageSpec, partition: int, context: Context, store: PartitionStore) -> None:
        self.spec, self.partition, self.stage = spec, partition, spec.name
        self._context, self._store = context, store
        self.logic: Stage = spec.build(context, partition, store)

    @property
    def state(self) -> Any:
        """The stage's state."""
        return self.logic.state

    def before_commit(self) -> None:
        """Emit what is coalesced over the unit of work."""
        self.logic.before_commit()

    def input(self, prefix: str) -> tuple[str, int]:
        """One of the partitions that the task reads."""
        return self.spec.inputs[0].of(prefix), self.partition

    def start_over(self) -> None:
        """The unit of work was aborted: nothing decoded may be kept."""
        self.logic = self.spec.build(self._context, self.partition, self._store)


class Worker(Owner):
    """Holds the tasks of the assigned partitions and the one transaction they share.

    ``consumer`` is set by the application once Faust has made it.
    """

    consumer: BatchConsumer

    def __init__(
        self, settings: Settings, specs: tuple[StageSpec, ...], context: Context, unit: UnitOfWork, metrics: m.Metrics
    ) -> None:
        self.settings, self.context, self.unit, self.metrics = settings, context, unit, metrics
        self.specs = {spec.name: spec for spec in specs}
        self.tasks: dict[tuple[str, int], Task] = {}
        self.failure: BaseException | None = None
        self._engine = RocksEngine(RocksOptions(block_cache_bytes=settings.block_cache_bytes))
        self._restoring: asyncio.Task[None] | None = None
        self._restored = False
        self._threads = ThreadPoolExecutor(RESTORE_THREADS, "restore")
        self._committed_at = self._ticked_at = time.monotonic()
        readers = {topic.of(settings.topic_prefix): spec.name for spec in specs for topic in spec.inputs}
        self._vitals = Vitals(metrics, settings.topic_prefix, readers)
        self._held: list[tuple[str, int]] = []
        self._ends = Ends(settings.kafka())
        self._stability = StabilityWatch(self._ends, metrics, settings.topic_prefix, readers)

    # Batches

    def take(self, stage: str, batch: Batch) -> None:
        """Give a batch to its task within the open transaction, and commit when it is time."""
        if not self.consumer.take(batch):
            return
        started = time.perf_counter()
        self.tasks[stage, batch.partition].logic.on_batch(batch.topic, batch)
        self.unit.consumed(batch.topic, batch.partition, batch[-1].offset() + 1, len(batch))
        self.unit.poll()
        self._vitals.batch_processed(stage, batch, time.perf_counter() - started)
        if self.unit.records >= self.settings.commit_records or self.seconds_to_commit() <= 0:
            self.commit()

    def tick(self) -> None:
        """Let tasks live through what has fallen due, within the open transaction, if it is time to look."""
        now, interval = time.monotonic(), self.settings.timer_interval_ms / 1000
        if now < self._ticked_at + interval:
            return
        self._ticked_at = now
        for task in self.tasks.values():
            if task.spec.has_timers:
                place = task.input(self.settings.topic_prefix)
                if self.unit.knows_position(*place) and task.logic.tick():
                    self.unit.hold_position(*place)
                    self._ticked_at = now - interval  # perhaps there is more: look again after this commit

    def seconds_to_commit(self) -> float:
        """Time left of the commit interval, which is longer while there is more to fetch than was fetched.

        Who is behind gains nothing by committing early; in a longer transaction more changes of a row become one.
        """
        settings = self.settings
        interval_ms = settings.catch_up_interval_ms if self.consumer.behind else settings.commit_interval_ms
        return self._committed_at + interval_ms / 1000 - time.monotonic()

    def commit(self) -> None:
        """Commit the unit of work; where Kafka refuses, start over from what is durable."""
        self._committed_at = started = time.monotonic()
        records = self.unit.records
        try:
            done = self.unit.commit(list(self.tasks.values()), lambda: self.consumer.group)
        except Aborted as error:
            log.warning("transaction_aborted", error=str(error), records=records)
            self.metrics.add(m.ABORTS, 1, "refused")
            self._start_over()
            return
        if done is not None:
            self._vitals.committed(done, time.monotonic() - started)
        self._committed_at = time.monotonic()

    async def watch(self) -> None:
        """Keep the gauges current until cancelled."""
        while True:
            self._vitals.partitions(self._held, self.tasks)
            self._vitals.state(task.state for task in self.tasks.values())
            self._vitals.lag(self.consumer, await self._ends.of(self.consumer.held))
            await self._stability.look(self.consumer.held)
            self.unit.poll()  # serves the log lines of a producer that nothing else polls while the worker is idle
            await asyncio.sleep(INTERVAL_SECONDS)

    def _start_over(self) -> None:
        self._vitals.aborted()
        for task in self.tasks.values():
            task.start_over()
        self.consumer.new_epoch()
        if self.tasks:
            self._rewinding = asyncio.get_running_loop().create_task(self._rewind())

    async def _rewind(self) -> None:
        try:
            await self.consumer.rewind()
        except confluent_kafka.KafkaException as error:
            self.fail(error)

    # Ownership

    async def assigned(self, tps: set[TP]) -> None:
        """Open and restore the partitions' state beside the event loop, then let them flow."""
        self.metrics.add(m.REBALANCES, 1)
        self._restored = not tps
        if tps:
            epoch = self.consumer.epoch
            self._restoring = asyncio.get_running_loop().create_task(self._restore(tps, epoch))

    async def revoked(self, tps: set[TP]) -> None:
        """Commit, then let go: the next owner starts where we stopped."""
        await self._restore_ended()
        try:
            self.commit() if self.failure is None else self._abort()
        except Exception as error:  # noqa: BLE001 - the group must not wait for us; the next owner rolls forward
            self.fail(error)
        self._let_go(tps)

    async def lost(self, tps: set[TP]) -> None:
        """The group has given our partitions to others already: nothing since the last commit happened."""
        await self._restore_ended()
        self._abort()
        self.metrics.add(m.ABORTS, 1, "lost")
        self._let_go(tps)

    def _abort(self) -> None:
        """Nothing since the last commit happened."""
        try:
            self.unit.abort()
        except Exception as error:  # noqa: BLE001 - the group must not wait for us
            self.fail(error)

    def _let_go(self, tps: set[TP]) -> None:
        self._restored = False
        for task in self.tasks.values():
            task.state.close()
        self.tasks.clear()
        self._held = []
        self._vitals.aborted()
        log.info("partitions_released", partitions=len({tp.partition for tp in tps}))

    async def _restore_ended(self) -> None:
        if self._restoring is not None:
            await asyncio.wait([self._restoring])
            self._restoring = None

    async def _restore(self, tps: set[TP], epoch: int) -> None:
        partitions = sorted({tp.partition for tp in tps})
        started = time.monotonic()
        asyncio.get_running_loop()
        try:
            wanted = self._wanted(tps)
            self._held = [(spec.name, partition) for spec, partition in wanted]
            positions = await self._stand(tps, epoch)
            self.unit.set_committed_positions(positions)
            self._vitals.assigned(positions)
            await self._open_all(wanted, epoch)
        except Interrupted:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the process must not run on without its state
            self.fail(error)
            return
        self.consumer.resume(tps)
        self._restored = True
        log.info("partitions_ready", partitions=len(partitions), seconds=round(time.monotonic() - started, 3))

    async def _stand(self, tps: set[TP], epoch: int) -> dict[TP, int]:
        """Where the group is, once the former owner's last transaction is settled.

        Should that take longer than a transaction may, we go on without: a partition's timers then wait until
        something is consumed.
        """
        result: dict[TP, int] = {}
        until = time.monotonic() + TIMEOUT_SECONDS
        while True:
            result |= await self._ends.committed(self.settings.application_id, tps - result.keys())
            if result.keys() >= tps or time.monotonic() > until:
                return result
            if self.consumer.epoch != epoch:
                raise Interrupted
            await asyncio.sleep(STAND_SECONDS)

    async def _open_all(self, wanted: list[tuple[StageSpec, int]], epoch: int) -> None:
        """Wait for the end of each, also after a failure, so that no store is opened after all are let go."""
        restores = [self._open(spec, partition, epoch) for spec, partition in wanted]
        for failure in await asyncio.gather(*restores, return_exceptions=True):
            if failure is not None:
                raise failure

    async def _open(self, spec: StageSpec, partition: int, epoch: int) -> None:
        loop = asyncio.get_running_loop()
        store = await loop.run_in_executor(self._threads, self._restore_one, spec, partition, epoch)
        self.tasks[spec.name, partition] = Task(spec, partition, self.context, store)

    def _wanted(self, tps: set[TP]) -> list[tuple[StageSpec, int]]:
        names = {(tp.topic, tp.partition) for tp in tps}
        prefix = self.settings.topic_prefix
        result = {
            (spec.name, p) for spec in self.specs.values() for t in spec.inputs for n, p in names if n == t.of(prefix)
        }
        return [(self.specs[name], partition) for name, partition in sorted(result)]

    def _restore_one(self, spec: StageSpec, partition: int, epoch: int) -> PartitionStore:
        """In a restore thread."""
        folder = self.settings.home / "state" / self.settings.application_id / f"worker-{self.settings.worker_id}"
        store = self._engine.open(folder / f"{spec.name}-{partition}", spec.families)
        started = time.monotonic()
        try:
            roll_forward(
                self.settings.kafka(),
                CHANGELOGS[spec.name].of(self.settings.topic_prefix),
                partition,
                store,
                is_wanted=lambda: self.consumer.epoch == epoch,
                progress=lambda rows: self.metrics.add(m.RESTORE_ROWS, rows, spec.name),
            )
        except BaseException:
            store.close()
            raise
        self.metrics.observe(m.RESTORE_SECONDS, time.monotonic() - started, spec.name)
        return store

    # Health and end

    def why_not_ready(self) -> list[str]:
        """Reasons, empty when every assigned partition is being processed."""
        if self._restored:
            return self._stability.reasons()
        reason = "restoring state" if self._restoring is not None else "no partitions assigned yet"
        return [reason, *self._stability.reasons()]

    def why_not_alive(self) -> list[str]:
        """Reasons, empty while the worker can go on."""
        return [f"failed: {type(self.failure).__name__}"] if self.failure else []

    def fail(self, error: BaseException) -> None:
        """Nothing more can be done here: abort, end the process with an error, and let the next one roll forward."""
        if self.failure is None:
            log.error("worker_failed", error=f"{type(error).__name__}: {error}", exc_info=error)
            self.failure = error
