"""The stages over an in-memory log, in one process: the same code, codecs and rules as on Kafka.

Marketers use it to try rules on real data before deploying them; the end-to-end tests use it as their oracle.
"""

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
from pipeline.stream.stages.intake import INTAKE
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
        )
        self._prefix = settings.topic_prefix
        self._inputs = {topic.of(settings.topic_prefix): topic for topic in EVENTS.values()}
        self.stages: dict[str, Stage] = {
            spec.name: spec.build(context, 0, cast("PartitionStore", self.stores[spec.name])) for spec in PASSES
        }

    def feed(self, topic: str, key: str, value: bytes) -> None:
        """Appends one event to an events topic, as a producer does. ``topic`` is the full topic name."""
        self.log.emit(self._inputs[topic], key, value)

    def settle(self) -> None:
        """Runs the stages until no record waits, committing after each round."""
        while self._round():
            self._commit()

    def newest_ms(self) -> int:
        """Returns the event time of the newest event that became a touch; 0 before the first."""
        return cast("ProfileStage", self.stages[PROFILE.name]).newest_ms

    def advance(self, now_ms: int) -> None:
        """Fires all timers due at or before ``now_ms``, each as of its due time, and settles."""
        while sum(stage.tick(now_ms) for stage in self.stages.values()):
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
            for topic in spec.inputs:
                records = self.log.take(topic)
                if records:
                    busy = True
                    self.stages[spec.name].on_batch(topic.of(self._prefix), records)
        return busy

    def take(self, topic: Topic) -> list[MemoryRecord]:
        """Returns an output topic's records since the last call."""
        return self.log.take(topic)

    def profiles(self) -> Iterator[tuple[str, ProfileRow]]:
        """Yields id and row of every profile, merged ones included, in the order of ids."""
        decode = row_decoder(layout.PROFILES, ProfileRow)
        for key, row in self.stores[PROFILE.name].scan(layout.PROFILES):
            yield key.decode(), decode(row)
