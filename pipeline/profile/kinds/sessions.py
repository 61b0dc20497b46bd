"""Sessions: runs of events in which each event follows the one before within a gap.

The cell consists of [start, end, events] of each run, in order of time. The runs result from cutting the set of event
times at every longer gap, so that the order of adding does not matter. Runs are stored in buckets and have no lifetime
total, so that their retention depends only on the set of buckets. On reading, runs within the gap of each other are
joined into one session, across buckets and across the ledgers of a profile. A window counts the part of a session that
lies in it.
"""

from functools import lru_cache
from typing import Any, Final, TypeAlias

from pipeline.event.duration import MINUTE_MS
from pipeline.profile.kinds.kind import Kind

Run: TypeAlias = list[int]
NAME: Final = "sessions"
GAP_MS: Final = 30 * MINUTE_MS
"""The usual gap of web analytics, after the 25.5 minutes that Catledge and Pitkow (1995) measured."""
MIN_GAP_MS: Final = 5 * MINUTE_MS
"""The shortest gap, so that a day has at most 288 runs."""


@lru_cache
def sessions(gap_ms: int) -> Kind:
    """Returns the kind for sessions that end after a gap longer than ``gap_ms``."""

    def add(one: list[Run], other: list[Run]) -> list[Run]:
        if len(other) == 1:
            start, end, events = one[-1]
            first, last, more = other[0]
            if first >= start:  # the usual case: the event is later than the start of the newest run
                runs = one.copy()
                if first - end > gap_ms:
                    runs.append(other[0])
                else:
                    runs[-1] = [start, max(end, last), events + more]
                return runs
        return join_runs(one, other, gap_ms)

    def read(runs: list[Run], as_of_ms: int) -> dict[str, Any]:
        return _read(runs, as_of_ms, gap_ms)

    return Kind(NAME, "nothing", _lift, add, read, _NONE, by_moment=True, for_ever=False)


def join_runs(one: list[Run], other: list[Run], gap_ms: int) -> list[Run]:
    """Returns the runs of both, joining runs within the gap of each other. Changes neither argument."""
    joined: list[Run] = []
    for start, end, events in sorted(one + other):
        if joined and start - joined[-1][1] <= gap_ms:
            before = joined[-1]
            joined[-1] = [before[0], max(before[1], end), before[2] + events]
        else:
            joined.append([start, end, events])
    return joined


def _lift(_value: Any, timestamp_ms: int, _event_id: str) -> list[Run]:
    return [[timestamp_ms, timestamp_ms, 1]]


def _read(runs: list[Run], as_of_ms: int, gap_ms: int) -> dict[str, Any]:
    lengths = [end - start for start, end, _ in runs]
    start, end, _ = runs[-1]
    return {
        "sessions": len(runs),
        "events": sum(events for _, _, events in runs),
        "duration_ms": sum(lengths),
        "longest_ms": max(lengths),
        "bounced": sum(events == 1 for _, _, events in runs),
        "last_start_ms": start,
        "last_end_ms": end,
        "open": as_of_ms - end <= gap_ms,
    }


_NONE: Final = {
    "sessions": 0, "events": 0, "duration_ms": 0, "longest_ms": 0, "bounced": 0, "last_start_ms": None,
    "last_end_ms": None, "open": False,
}  # fmt: skip
