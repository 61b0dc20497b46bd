"""A PROFILE stage that records its inputs, for the comparison with a run without crashes (``reference_run.py``)."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from pipeline.profile.logic import Applied, Timer
from pipeline.profile.messages import Message
from pipeline.stream.stages.profile import ProfileStage


class ProcessedBatch(NamedTuple):
    """One step of a PROFILE stage: records it took in, messages it applied, or timers; and its current time."""

    partition: int
    now_ms: int
    offsets: list[int]
    """Offsets of the records taken in, which may have been applied later."""
    messages: list[tuple[str, Message]]
    timers: list[Timer]
    """Timers that were still valid for their profile."""


class Diary(Protocol):
    """Collects processed batches, and sets the time until which timers fire."""

    batches: list[ProcessedBatch]
    """Batches of the open transaction."""
    until_ms: int | None
    """None: the stage's own clock."""


class NotedProfile(ProfileStage):
    """The unchanged stage. Records every batch, what it applies, and every tick that fires a timer."""

    def __init__(self, diary: Diary, context: Any, partition: int, store: Any) -> None:
        super().__init__(context, partition, store)
        self._diary, self._partition = diary, partition

    def on_batch(self, topic: str, batch: Sequence[Any]) -> None:
        self._note(self._now_ms(), offsets=[record.offset() for record in batch])
        super().on_batch(topic, batch)

    def tick(self, now_ms: int | None = None) -> int:
        assert now_ms is None, "a worker leaves the time to the stage"
        return super().tick(self._diary.until_ms)

    def _apply(self, messages: Sequence[tuple[str, Message]], now_ms: int) -> Applied:
        self._note(now_ms, messages=list(messages))
        return super()._apply(messages, now_ms)

    def _on_time(self, timers: Sequence[Timer], now_ms: int) -> Applied:
        self._note(now_ms, timers=[timer for timer in timers if self._wakes(*timer)])
        return super()._on_time(timers, now_ms)

    def _wakes(self, due_ms: int, profile_id: str) -> bool:
        row = self._logic._profiles.get(profile_id)
        return row is not None and row.schedule.timer_ms == due_ms

    def _note(self, now_ms: int, offsets: Any = (), messages: Any = (), timers: Any = ()) -> None:
        self._diary.batches.append(ProcessedBatch(self._partition, now_ms, list(offsets), list(messages), list(timers)))
