"""One stage on one restored partition, as the worker and the unit of work use it."""

from typing import Any

from pipeline.state.partition_count import PartitionCountView
from pipeline.state.store import PartitionStore
from pipeline.stream.stages.base import Context, Stage, StageSpec


class Task:
    """Builds the stage's logic over the store, and rebuilds it after an abort."""

    def __init__(self, spec: StageSpec, partition: int, context: Context, store: PartitionStore) -> None:
        self.spec, self.partition, self.stage = spec, partition, spec.name
        self._context, self._store = context, store
        self.logic = self._build()

    @property
    def state(self) -> Any:
        """Returns the stage's state."""
        return self.logic.state

    def before_commit(self) -> None:
        """Emits the output that the stage coalesces per transaction."""
        self.logic.before_commit()

    def input(self, prefix: str) -> tuple[str, int]:
        """Returns topic and partition of the first input."""
        return self.spec.inputs[0].of(prefix), self.partition

    def start_over(self) -> None:
        """Drops every decoded row, because the transaction that changed them was aborted."""
        self.logic = self._build()

    def _build(self) -> Stage:
        """Raises PartitionsChangedError if the store was built for another number of partitions."""
        logic = self.spec.build(self._context, self.partition, self._store)
        logic.state.views = [*logic.state.views, PartitionCountView(self._store, self._context.partitions)]
        return logic
