"""A worker's metrics: counters once per commit, gauges every ``INTERVAL_SECONDS``, nothing per record."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from pipeline.clock import wall_clock_ms
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.kafka.waiting import WaitingRecords
from pipeline.obs import metrics as m
from pipeline.state.partition import PartitionState
from pipeline.state.tenants import TenantViews
from pipeline.state.view import TableView
from pipeline.stream.dlq import StoppedSource
from pipeline.stream.poller import Batch, Poller
from pipeline.stream.unit_of_work import Committed

INTERVAL_SECONDS = 2.0


class Vitals:
    """Collects the counts of the open transaction and publishes them after its commit; aborted work is not counted."""

    def __init__(self, metrics: m.Metrics, prefix: str, stages: Mapping[str, str]) -> None:
        """``stages`` maps each topic's name on the broker to the stage that reads it."""
        self._metrics, self._cut, self._stages = metrics, len(prefix) + 1, stages
        self._taken: Counter[tuple[str, str]] = Counter()
        self._next: dict[TopicPartition, int] = {}
        self._oldest_ms: dict[str, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._shown: frozenset[TopicPartition] = frozenset()
        self._held: dict[tuple[str, str], int] = {}
        self._waiting: WaitingRecords[TopicPartition] = WaitingRecords()

    def batch_processed(self, stage: str, batch: Batch, seconds: float) -> None:
        """Adds a batch that a stage has processed in ``seconds``."""
        self._taken[stage, batch.topic] += len(batch)
        self._next[TopicPartition(batch.topic, batch.partition)] = batch[-1].offset() + 1
        at_ms = batch[0].timestamp()[1]
        if at_ms > 0:
            self._oldest_ms[stage] = min(at_ms, self._oldest_ms.get(stage, at_ms))
        self._metrics.observe(m.BATCH_SECONDS, seconds, stage)
        self._metrics.observe(m.BATCH_RECORDS, len(batch), stage)

    def committed(self, done: Committed, seconds: float) -> None:
        """Publishes the counts of the transaction, which took ``seconds`` to commit."""
        metrics = self._metrics
        metrics.add(m.COMMITS, 1)
        metrics.observe(m.COMMIT_SECONDS, seconds)
        metrics.observe(m.COMMIT_RECORDS, done.records)
        for (stage, topic), taken in self._taken.items():
            metrics.add(m.RECORDS_CONSUMED, taken, stage, topic[self._cut :])
        for topic, produced in done.produced.items():
            metrics.add(m.RECORDS_PRODUCED, produced, topic)
        for table, rows in done.written.items():
            metrics.add(m.STATE_WRITES, rows, table)
        now_ms = wall_clock_ms()
        for stage, oldest_ms in self._oldest_ms.items():
            metrics.observe(m.DELAY_SECONDS, max(0, now_ms - oldest_ms) / 1000, stage)
        self._positions.update(self._next)
        self.aborted()

    def aborted(self) -> None:
        """Drops the counts since the last commit."""
        self._taken.clear()
        self._next.clear()
        self._oldest_ms.clear()

    def assigned(self, positions: Mapping[TopicPartition, int]) -> None:
        """Sets the group's committed offsets of the newly assigned partitions."""
        self._positions = dict(positions)

    def lag(self, poller: Poller, ends: Mapping[TopicPartition, int]) -> None:
        """Sets lag and waiting time of each held partition whose end is known. Removes the series of other partitions.

        An open transaction can make an offset unknown: then every record counts as waiting, and lag is not set.
        """
        now = time.monotonic()
        shown = poller.held & ends.keys()
        self._waiting.forget_all_but(poller.held)
        for tp in shown:
            position = poller.behind_markers(tp, self._positions.get(tp, 0))
            if tp in self._positions:
                self._metrics.set(m.LAG, max(0, ends[tp] - position), *self._labels(tp))
            waits = self._waiting.observe(tp, position=position, end=ends[tp], now_seconds=now)
            self._metrics.set(m.OLDEST_WAITING_SECONDS, waits, *self._labels(tp))
        for tp in self._shown - shown:
            self._metrics.forget(m.LAG, *self._labels(tp))
            self._metrics.forget(m.OLDEST_WAITING_SECONDS, *self._labels(tp))
        self._shown = shown

    def held(self, counts: Iterable[tuple[tuple[str, int], int]], *, is_committed: bool) -> None:
        """Sets the number of held records by stage and partition. Removes the series of other partitions.

        Before a commit the number only rises: a reader that sees 0 also sees everything that was held on the topics.
        """
        held = {(stage, str(partition)): count for (stage, partition), count in counts}
        if not is_committed:
            held = {place: max(count, self._held.get(place, 0)) for place, count in held.items()}
        for place, count in held.items():
            self._metrics.set(m.HELD, count, *place)
        for place in self._held.keys() - held.keys():
            self._metrics.forget(m.HELD, *place)
        self._held = held

    def partitions(self, assigned: Iterable[tuple[str, int]], restored: Collection[tuple[str, int]]) -> None:
        """Sets the number of held and of restoring partitions of each stage."""
        assigned = list(assigned)
        for stage in dict.fromkeys(self._stages.values()):
            mine = [key for key in assigned if key[0] == stage]
            self._metrics.set(m.PARTITIONS, len(mine), stage)
            self._metrics.set(m.RESTORING, sum(key not in restored for key in mine), stage)

    def source(self, source: StoppedSource, *, is_stopped: bool) -> None:
        """Sets whether the loss breaker has stopped a source."""
        self._metrics.set(m.SOURCE_STOPPED, int(is_stopped), source.stage, source.topic[self._cut :])

    def state(self, states: Iterable[PartitionState]) -> None:
        """Sets the number of cached rows and adds the cache misses of each table."""
        cached: Counter[str] = Counter()
        for view in (view for state in states for view in state.views if isinstance(view, TableView | TenantViews)):
            cached[view.family] += view.cached()
            self._metrics.add(m.CACHE_MISSES, view.take_misses(), view.family)
        for table, rows in cached.items():
            self._metrics.set(m.CACHED_ROWS, rows, table)

    def _labels(self, tp: TopicPartition) -> tuple[str, str, str]:
        return self._stages[tp.topic], tp.topic[self._cut :], str(tp.partition)
