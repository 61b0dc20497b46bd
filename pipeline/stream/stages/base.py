"""What a stage is to the worker, and what a worker lends a stage."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from pipeline.clock import Clock
from pipeline.kafka.record import Emit, Record
from pipeline.obs.metrics import Metrics
from pipeline.settings import Settings
from pipeline.state.partition import PartitionState
from pipeline.state.store import PartitionStore
from pipeline.stream.dlq import LossBreaker
from pipeline.topics import StageName, Topic

if TYPE_CHECKING:
    from pipeline.avro.codecs import Codecs
    from pipeline.rules.model import Rules


class Context(msgspec.Struct, frozen=True):
    """What every stage of a process shares."""

    settings: Settings
    rules: "Rules"
    codecs: "Codecs"
    clock: Clock
    emit: Emit
    partition_of: Callable[[str], int]
    """Where the murmur2 partitioner puts a key."""
    breaker: LossBreaker
    metrics: Metrics


class Stage(ABC):
    """One stage on one partition: state views and the core's logic over them. Most have no work but their batches."""

    def __init__(self, context: Context, state: PartitionState) -> None:
        self.state = state
        self._context, self._emit = context, context.emit

    @abstractmethod
    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:
        """Take records of one partition, in order. Runs to its end or raises; never half done."""

    def tick(self, now_ms: int | None = None) -> int:  # noqa: ARG002 - by default nothing falls due
        """Do what is due by ``now_ms``, or by the stage's own clock. Returns how much was due, of a bounded number."""
        return 0

    def before_commit(self) -> None:
        """Emit what is coalesced over the unit of work; by default nothing is."""
        return


class StageSpec(msgspec.Struct, frozen=True):
    """How a stage is wired: what it reads, where its rows live, and how it is built over them."""

    name: StageName
    inputs: tuple[Topic, ...]
    families: tuple[str, ...]
    build: Callable[[Context, int, PartitionStore], Stage]
    has_timers: bool = False
    """Whether time alone gives it work."""
