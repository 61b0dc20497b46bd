"""The stages over a log in memory, in one process: the same code, codecs and rules as on Kafka.

It is how a marketer tries rules on real data before deploying them, and the oracle of the end-to-end tests.
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
    """One worker with one partition. ``feed`` events, ``settle``, take the outputs, read the profiles."""

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
        """Append one event to an events topic, named as on the broker, as a producer would."""
        self.log.emit(self._inputs[topic], key, value)

    def settle(self) -> None:
        """Run the stages until nothing is under way, committing after each round."""
        while self._round():
            self._commit()

    def newest_ms(self) -> int:
        """Event time of the newest event that became a touch; 0 before the first."""
        return cast("ProfileStage", self.stages[PROFILE.name]).newest_ms

    def advance(self, now_ms: int) -> None:
        """Let time pass up to a moment: everything due by then happens, as of when it was due."""
        while sum(stage.tick(now_ms) for stage in self.stages.values()):
            self._commit()
            self.settle()

    def _commit(self) -> None:
        for stage in self.stages.values():
            stage.before_commit()
            stage.state.persist(stage.state.changes())

    def _round(self) -> bool:
        """Give every stage what waits for it; whether there was anything."""
        busy = False
        for spec in PASSES:
            for topic in spec.inputs:
                records = self.log.take(topic)
                if records:
                    busy = True
                    self.stages[spec.name].on_batch(topic.of(self._prefix), records)
        return busy

    def take(self, topic: Topic) -> list[MemoryRecord]:
        """An output topic's records since the last call."""
        return self.log.take(topic)

    def profiles(self) -> Iterator[tuple[str, ProfileRow]]:
        """Every profile's row, merged ones included, by profile id."""
        decode = row_decoder(layout.PROFILES, ProfileRow)
        for key, row in self.stores[PROFILE.name].scan(layout.PROFILES):
            yield key.decode(), decode(row)
