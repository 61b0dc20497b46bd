"""The interface between a worker and its stages."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

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


MIN_CACHED_ROWS: Final = 100


def _nowhere(_topic: Topic, _key: bytes, _value: bytes) -> None:
    """Sends nothing: there is no further stage."""


class Context(msgspec.Struct, frozen=True):
    """Settings, rules, codecs and ports that all stages of a process share."""

    settings: Settings
    rules: "Rules"
    codecs: "Codecs"
    clock: Clock
    emit: Emit
    partition_of: Callable[[str], int]
    """Returns the partition of a key, by the murmur2 partitioner."""
    breaker: LossBreaker
    metrics: Metrics
    partitions: int = 1
    """Partitions of every topic, which the state remembers."""
    broadcast: Callable[[Topic, bytes, bytes], None] = _nowhere
    """Adds a record, by key and value, to every partition of a topic."""

    @property
    def cached_rows(self) -> int:
        """Returns the decoded rows that one table of one partition may cache: an equal part of the setting."""
        return max(MIN_CACHED_ROWS, self.settings.cached_rows // self.partitions)


class Stage(ABC):
    """One stage on one partition: state views, and the core's logic over them."""

    def __init__(self, context: Context, state: PartitionState) -> None:
        self.state = state
        self._context, self._emit = context, context.emit

    @abstractmethod
    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:
        """Processes records of one partition, in offset order. Processes all of them or raises."""

    def tick(self, now_ms: int | None = None) -> int:  # noqa: ARG002 - by default nothing falls due
        """Fires a bounded number of timers due by ``now_ms``, by default the stage's clock. Returns how many fired."""
        return 0

    @property
    def has_work(self) -> bool:
        """Returns whether :meth:`tick` has something to do without a new record; by default it has not."""
        return False

    @property
    def held(self) -> int:
        """Returns the number of records in state that wait to be decided; by default none waits."""
        return 0

    def on_silence(self, topic: str, seconds: float) -> None:  # noqa: B027 - by default silence means nothing
        """Called again and again while an input, which has no further record, has been silent for ``seconds``."""

    def before_commit(self) -> None:
        """Emits the output that the stage coalesces per transaction; by default none."""
        return


class StageSpec(msgspec.Struct, frozen=True):
    """How a stage is wired: its input topics, its RocksDB column families, and its constructor."""

    name: StageName
    inputs: tuple[Topic, ...]
    families: tuple[str, ...]
    build: Callable[[Context, int, PartitionStore], Stage]
