"""A worker with one tiny stage, run as a process of its own by the engine's tests: it counts records per key.

Each record goes out with the number of records of its key before it, so that one lost or doubled anywhere shows.
"""

import asyncio
import sys
from collections.abc import Sequence

import msgspec

from pipeline.kafka.record import Record
from pipeline.obs.metrics import Metrics
from pipeline.settings import Settings
from pipeline.state.partition import PartitionState
from pipeline.state.store import PartitionStore
from pipeline.state.view import msgpack_view
from pipeline.stream.dlq import LossBreaker
from pipeline.stream.process import run
from pipeline.stream.process_environment import process_environment
from pipeline.stream.stages.base import Context, Stage, StageSpec
from pipeline.stream.unit_of_work import UnitOfWork
from pipeline.stream.worker import Worker
from pipeline.topics import EVENTS, TOUCHES

FAMILY = "counts"


class Count(msgspec.Struct):
    seen: int = 0


class CountingStage(Stage):
    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:
        self._counts = msgpack_view(FAMILY, store, Count, 1000)
        super().__init__(context, PartitionState(store, [self._counts]))

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:
        for record in batch:
            key = (record.key() or b"").decode()
            row = self._counts.get(key) or Count()
            self._emit(TOUCHES, key, b"%d" % row.seen)
            self._counts.put(key, Count(row.seen + 1))


COUNTING = StageSpec("profile", (EVENTS["web"],), (FAMILY,), CountingStage)


def main() -> int:
    settings = Settings()
    name = f"{settings.application_id}-{settings.worker_id}"
    metrics = Metrics()

    def worker() -> Worker:
        unit = UnitOfWork(settings.kafka(), name, settings.topic_prefix, transaction_timeout_ms=10_000)
        breaker = LossBreaker(1.0, 1 << 62)
        context = Context(settings, None, None, None, unit.emit, None, breaker, metrics, settings.partitions)  # type: ignore[arg-type]
        return Worker((COUNTING,), context, unit, process_environment(settings, 1))

    asyncio.run(run(settings, (COUNTING,), metrics, worker))
    return 0


if __name__ == "__main__":
    sys.exit(main())
