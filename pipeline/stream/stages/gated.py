"""A stage whose records all pass one gate."""

from abc import abstractmethod
from collections.abc import Sequence

from pipeline.kafka.record import Record
from pipeline.state.partition import PartitionState
from pipeline.stream.gate import MAX_RELEASED, Gate
from pipeline.stream.stages.base import Context, Stage


class GatedStage(Stage):
    """Hands records to :meth:`_process` in offset order; with the clock "stream", in the order of event time."""

    def __init__(self, context: Context, state: PartitionState, gate: Gate) -> None:
        super().__init__(context, state)
        self._gate = gate

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:  # noqa: ARG002 - one topic only
        """Processes the batch, or lets it wait at the gate."""
        if self._gate.is_open:
            self._process(batch)
        else:
            self._gate.take_in(batch)
            self._release()

    def tick(self, now_ms: int | None = None) -> int:  # noqa: ARG002 - nothing here falls due
        """Passes on records that may pass the gate. Returns how many."""
        return 0 if self._gate.is_open else self._release()

    @property
    def has_work(self) -> bool:
        """Returns whether records may wait at the gate."""
        return not self._gate.is_open

    @property
    def held(self) -> int:
        """Returns the number of records that wait at the gate."""
        return self._gate.held

    def _release(self) -> int:
        released = self._gate.release(MAX_RELEASED)
        self._process(released)
        return len(released)

    @abstractmethod
    def _process(self, records: Sequence[Record]) -> None:
        """Applies records in their order, which fixes the order of a tenant's decisions."""
