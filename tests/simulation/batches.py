"""A PROFILE stage that records its inputs, for the comparison with a run without crashes (``reference_run.py``)."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

from pipeline.profile.logic import Timer
from pipeline.stream.stages.profile import ProfileStage
from pipeline.testing.log import MemoryRecord


class ProcessedBatch(NamedTuple):
    """One call of a PROFILE stage: its records or timers, and the current time it used."""

    partition: int
    now_ms: int
    records: list[MemoryRecord]
    timers: list[Timer]
    """Timers that were still valid for their profile."""


class Diary(Protocol):
    """Collects processed batches, and sets the time until which timers fire."""

    batches: list[ProcessedBatch]
    """Batches of the open transaction."""
    until_ms: int | None
    """None: the stage's own clock."""


class RecordedTimers:
    """A stage's timers during one tick. Records which of them were still valid."""

    def __init__(self, stage: Any) -> None:
        self._timers, self._profiles = stage._timers, stage._logic._profiles
        self.until_ms, self.woke = 0, list[Timer]()

    def take(self, until_ms: int, limit: int) -> list[Timer]:
        timers = cast("list[Timer]", self._timers.take(until_ms, limit))
        self.until_ms, self.woke = until_ms, [timer for timer in timers if self._wakes(*timer)]
        return timers

    def _wakes(self, due_ms: int, profile_id: str) -> bool:
        row = self._profiles.get(profile_id)
        return row is not None and row.schedule.timer_ms == due_ms


class NotedProfile(ProfileStage):
    """The unchanged stage. Records every batch and every tick that fires a timer."""

    def __init__(self, diary: Diary, context: Any, partition: int, store: Any) -> None:
        super().__init__(context, partition, store)
        self._diary, self._partition = diary, partition

    def on_batch(self, topic: str, batch: Sequence[Any]) -> None:
        self._diary.batches.append(ProcessedBatch(self._partition, self._now_ms(), list(batch), []))
        super().on_batch(topic, batch)

    def tick(self, now_ms: int | None = None) -> int:
        assert now_ms is None, "a worker leaves the time to the stage"
        timers = self._timers
        noted: Any = RecordedTimers(self)
        self._timers = noted
        fired = super().tick(self._diary.until_ms)
        self._timers = timers
        if fired:
            self._diary.batches.append(ProcessedBatch(self._partition, noted.until_ms, [], noted.woke))
        return fired
