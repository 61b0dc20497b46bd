"""Freshness of the read model in an API process: metrics, and the reasons why it is not ready."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from pipeline.clock import Clock
from pipeline.obs import metrics as m
from pipeline.obs.metrics import Metrics
from pipeline.serve.model.facts import Progress
from pipeline.serve.read.reads import Reads

WATCH_SECONDS: Final = 1.0
MAX_AGE_MS: Final = 15_000
"""Age of the progress above which no writer runs."""


class FreshnessWatch:
    """Reads the writer's progress once a second."""

    def __init__(self, reads: Reads, metrics: Metrics, clock: Clock) -> None:
        self._reads, self._metrics, self._clock = reads, metrics, clock
        self._progress: Progress | None = None

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(WATCH_SECONDS)

    async def look(self) -> None:
        """Reads the progress and sets the metrics."""
        try:
            progress = await asyncio.to_thread(self._reads.overview.progress)
        except SQLAlchemyError:
            self._progress = None
            return
        self._progress = progress
        self._metrics.set(m.SERVE_LAG, progress.lag_records)
        self._metrics.set(m.SERVE_DELAY, progress.delay_ms / 1000)
        self._metrics.set(m.SERVE_AGE, self._age_ms(progress) / 1000)
        for topic, count in progress.skipped.items():
            self._metrics.set(m.SERVE_SKIPPED, count, topic)

    def not_ready(self) -> Sequence[str]:
        """Returns why answers would not be the current state; empty if they are."""
        progress = self._progress
        if progress is None:
            return ["the database does not answer"]
        if self._age_ms(progress) > MAX_AGE_MS:
            return [f"no writer has stored its progress for {self._age_ms(progress) // 1000} s"]
        if not progress.caught_up_ms:
            return [f"the model is being built: {progress.lag_records} records to apply"]
        return ()

    def _age_ms(self, progress: Progress) -> int:
        return max(0, self._clock() - progress.written_ms)
