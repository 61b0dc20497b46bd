"""How often a worker commits: at once while it is idle, less often only as far as its backlog demands.

Each commit has a fixed cost, and a longer transaction merges more changes of a row. Each hop of a record from stage to
stage takes one commit. So a worker that keeps up commits as often as it can afford, and a worker that is behind commits
as rarely as it must. With

* ``commit``: the smoothed time of a commit in seconds,
* ``share``: ``STITCHLINE_COMMIT_SHARE``, the part of the time that commits may take,
* ``rate``: the smoothed number of records per second of work,
* ``backlog``: the records that wait on the brokers,

the interval is::

    base     = commit * (1 - share) / share, but STITCHLINE_MIN_COMMIT_INTERVAL_MS to STITCHLINE_COMMIT_INTERVAL_MS
    interval = max(base, backlog / rate), but at most STITCHLINE_CATCH_UP_INTERVAL_MS

>>> pace = CommitPace(shortest_seconds=0.02, longest_seconds=0.15, behind_seconds=2.0, share=0.5)
>>> pace.committed(records=1_000, work_seconds=0.1, commit_seconds=0.03)
>>> round(pace.interval(backlog=0), 3), round(pace.interval(backlog=5_000), 3), pace.interval(backlog=1_000_000)
(0.03, 0.65, 2.0)
"""

from typing import Final

SMOOTHING: Final = 0.2
"""Weight of the newest transaction in the smoothed values."""


class CommitPace:
    """The commit interval of one worker. Reads no clock."""

    def __init__(self, shortest_seconds: float, longest_seconds: float, behind_seconds: float, share: float) -> None:
        """The first two limit the interval of a worker that keeps up, ``behind_seconds`` that of a worker behind."""
        self._shortest, self._longest = min(shortest_seconds, longest_seconds), longest_seconds
        self._behind = max(behind_seconds, longest_seconds)
        self._per_commit = (1 - share) / share
        self._commit_seconds = self._records_per_second = 0.0

    def interval(self, backlog: int) -> float:
        """Returns the seconds from one commit to the next, by the number of records that wait on the brokers."""
        base = self._limited(self._commit_seconds * self._per_commit)
        if not backlog or not self._records_per_second:
            return base
        return max(base, min(backlog / self._records_per_second, self._behind))

    def committed(self, records: int, work_seconds: float, commit_seconds: float) -> None:
        """Notes a transaction: its consumed records, the time of their processing, and the time of the commit."""
        self._commit_seconds = _smoothed(self._commit_seconds, commit_seconds)
        if records and work_seconds + commit_seconds:
            self._records_per_second = _smoothed(self._records_per_second, records / (work_seconds + commit_seconds))

    def _limited(self, seconds: float) -> float:
        return min(max(seconds, self._shortest), self._longest)


def _smoothed(before: float, newest: float) -> float:
    return before + SMOOTHING * (newest - before) if before else newest
