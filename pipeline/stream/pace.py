"""How often a worker commits: as often as its idle time allows, less often only as far as its backlog demands.

Each commit has a fixed cost, and a longer transaction merges more changes of a row. Each hop of a record from stage to
stage takes one commit. So a worker that keeps up spends its idle time on commits, and a worker that is behind commits
as rarely as it must. With

* ``commit``: the smoothed time of a commit in seconds,
* ``load``: the smoothed part of the time that records and timers take, without the commits,
* ``rate``: the smoothed number of records per second of work and commits,
* ``backlog``: the records that wait on the brokers,

the interval from the end of a commit to the next one is::

    share    = IDLE_SHARE * (1 - load), the part of the time that commits may take
    base     = commit * (1 - share) / share, but STITCHLINE_MIN_COMMIT_INTERVAL_MS to STITCHLINE_COMMIT_INTERVAL_MS
    interval = max(base, backlog / rate), but at most STITCHLINE_CATCH_UP_INTERVAL_MS

A fixed share has no good value: a small one wastes the time of a worker with little load, and a large one leaves a
worker with much load less time than its records take.

>>> pace = CommitPace(shortest_seconds=0.02, longest_seconds=0.15, behind_seconds=2.0)
>>> pace.committed(records=1_000, work_seconds=0.05, commit_seconds=0.03, cycle_seconds=0.1)
>>> round(pace.interval(backlog=0), 4), pace.interval(backlog=5_000), pace.interval(backlog=1_000_000)
(0.0367, 0.4, 2.0)
"""

from typing import Final

SMOOTHING: Final = 0.2
"""Weight of the newest transaction in the smoothed values."""
IDLE_SHARE: Final = 0.9
"""Commits may take this part of the time that records leave. The rest absorbs the variation of their cost."""


class CommitPace:
    """The commit interval of one worker. Reads no clock."""

    def __init__(self, shortest_seconds: float, longest_seconds: float, behind_seconds: float) -> None:
        """The first two limit the interval of a worker that keeps up, ``behind_seconds`` that of a worker behind."""
        self._shortest, self._longest = min(shortest_seconds, longest_seconds), longest_seconds
        self._behind = max(behind_seconds, longest_seconds)
        self._commit_seconds = self._records_per_second = self._work_seconds = self._cycle_seconds = 0.0

    def interval(self, backlog: int) -> float:
        """Returns the seconds from one commit to the next, by the number of records that wait on the brokers."""
        share = IDLE_SHARE * (1 - self.load)
        base = self._limited(self._commit_seconds * (1 - share) / share) if share > 0 else self._longest
        if not backlog or not self._records_per_second:
            return base
        return max(base, min(backlog / self._records_per_second, self._behind))

    @property
    def load(self) -> float:
        """Returns the part of the time that records and timers take, without the commits; 0 to 1."""
        return min(self._work_seconds / self._cycle_seconds, 1.0) if self._cycle_seconds else 0.0

    def committed(self, records: int, work_seconds: float, commit_seconds: float, cycle_seconds: float) -> None:
        """Notes a transaction: its consumed records, the time of their processing, and the time of the commit.

        ``cycle_seconds`` is the time since the end of the commit before. Of a longer one than the interval of a worker
        behind, only that much counts: after an idle hour the load must not stay near 0 for many transactions.
        """
        cycle_seconds = max(min(cycle_seconds, self._behind), work_seconds)
        self._commit_seconds = _smoothed(self._commit_seconds, commit_seconds)
        self._work_seconds = _smoothed(self._work_seconds, work_seconds)
        self._cycle_seconds = _smoothed(self._cycle_seconds, cycle_seconds)
        if records and work_seconds + commit_seconds:
            self._records_per_second = _smoothed(self._records_per_second, records / (work_seconds + commit_seconds))

    def _limited(self, seconds: float) -> float:
        return min(max(seconds, self._shortest), self._longest)


def _smoothed(before: float, newest: float) -> float:
    return before + SMOOTHING * (newest - before) if before else newest
