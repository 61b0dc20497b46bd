"""The stages over an in-memory log, in one process: the same code, codecs and rules as on Kafka.

Marketers use it to try rules on real data before deploying them; the end-to-end tests use it as their oracle.
"""

import math
from collections.abc import Iterator
from typing import cast

from pipeline.avro.codecs import Codecs
from pipeline.avro.registry import FileIds
from pipeline.clock import Clock
from pipeline.obs.metrics import Metrics
from pipeline.profile.row import ProfileRow
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.state import layout
from pipeline.state.store import PartitionStore
from pipeline.state.view import row_decoder
from pipeline.stream.dlq import LossBreaker
from pipeline.stream.stages.base import Context, Stage
from pipeline.stream.stages.intake import INTAKE, IntakeStage
from pipeline.stream.stages.profile import PROFILE, ProfileStage
from pipeline.stream.stages.route import ROUTE
from pipeline.stream.stages.stitch import STITCH
from pipeline.testing.log import MemoryLog, MemoryRecord
from pipeline.testing.store import MemoryStore
from pipeline.topics import EVENTS, Topic

PASSES = (STITCH, INTAKE, PROFILE, ROUTE)
NO_BREAKER = LossBreaker(share=1.0, window=1 << 62)


class Simulation:
    """One worker with one partition: :meth:`feed` events, :meth:`settle`, :meth:`take` outputs, read the profiles."""

    def __init__(self, settings: Settings, rules: Rules, clock: Clock) -> None:
        self.log = MemoryLog(settings.topic_prefix)
        self.stores = {spec.name: MemoryStore() for spec in PASSES}
        self.metrics = Metrics()
        context = Context(
            settings=settings,
            rules=rules,
            codecs=Codecs(FileIds(), settings.topic_prefix),
            clock=clock,
            emit=self.log.emit,
            partition_of=lambda _key: 0,
            breaker=NO_BREAKER,
            metrics=self.metrics,
            broadcast=self.log.emit,
        )
        self._replays = settings.clock == "stream"
        self._prefix = settings.topic_prefix
        self._inputs = {topic.of(settings.topic_prefix): topic for topic in EVENTS.values()}
        self.stages: dict[str, Stage] = {
            spec.name: spec.build(context, 0, cast("PartitionStore", self.stores[spec.name])) for spec in PASSES
        }
        self._queue = cast("IntakeStage", self.stages[INTAKE.name]).queue
        self._sources = 0
        self.begin_source()

    def feed(self, topic: str, key: str, value: bytes) -> None:
        """Appends one event to an events topic, as a producer does. ``topic`` is the full topic name."""
        self.log.emit(self._inputs[topic], key, value)

    def begin_source(self, *, more: bool = False) -> None:
        """Begins a source of events, such as a file; ``more``: it is not the last one.

        With the clock "stream", nothing is decided before the last source has begun. Within a source, events are in
        the order of event time up to the lateness allowed. By default all events are of one source.
        """
        self._sources += 1
        self._queue.begin_source(f"source {self._sources}", more=more)

    def process(self) -> None:
        """Runs the stages until no record waits in the log, committing after each round.

        With the clock "stream", records that the watermark has not passed stay behind in the stages.
        """
        while self._round():
            self._commit()

    def settle(self) -> None:
        """Runs the stages until no record waits anywhere, as at the end of the input."""
        self.process()
        if self._replays:
            for topic in self._inputs:
                self.stages[INTAKE.name].on_silence(topic, math.inf)
            self._commit()
            self.process()

    def newest_ms(self) -> int:
        """Returns the event time of the newest event that became a touch; 0 before the first."""
        return cast("ProfileStage", self.stages[PROFILE.name]).newest_ms

    def advance(self, now_ms: int) -> None:
        """Settles, and fires all timers due at or before ``now_ms``, each as of its due time."""
        self.settle()
        while sum(stage.tick(now_ms) for stage in self.stages.values()):
            self._commit()
            self.settle()
        self._commit()
        self.settle()

    def _commit(self) -> None:
        for stage in self.stages.values():
            stage.before_commit()
            stage.state.persist(stage.state.changes())

    def _round(self) -> bool:
        """Passes the waiting records to every stage. Returns whether there were any."""
        busy = False
        for spec in PASSES:
            stage = self.stages[spec.name]
            self._queue.is_paused = spec is INTAKE  # until the events of all channels have been taken in
            for topic in spec.inputs:
                records = self.log.take(topic)
                if records:
                    busy = True
                    stage.on_batch(topic.of(self._prefix), records)
            self._queue.is_paused = False
            while self._replays and stage.tick():
                busy = True
        return busy

    def take(self, topic: Topic) -> list[MemoryRecord]:
        """Returns an output topic's records since the last call."""
        return self.log.take(topic)

    def profiles(self) -> Iterator[tuple[str, ProfileRow]]:
        """Yields id and row of every profile, merged ones included, in the order of ids."""
        decode = row_decoder(layout.PROFILES, ProfileRow)
        for key, row in self.stores[PROFILE.name].scan(layout.PROFILES):
            yield key.decode(), decode(row)
