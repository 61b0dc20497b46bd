"""One stage on one restored partition, as the worker and its unit of work see it."""

from typing import Any

from pipeline.state.store import PartitionStore
from pipeline.stream.stages.base import Context, Stage, StageSpec


class Task:
    """Builds the stage's logic over the store, and again after an abort."""

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
        """The unit of work was aborted: keep nothing decoded."""
        self.logic = self.spec.build(self._context, self.partition, self._store)
