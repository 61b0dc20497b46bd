"""Occurrences: how often a score rule matched, in buckets of time, so that points can fade when the score is read."""

from operator import add
from typing import Final, Literal, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.buckets import Series, merge_series, put, shared

Grain: TypeAlias = Literal["hours", "days", "weeks", "total"]
"""Buckets a rule's matches are counted in. ``weeks``: by the day, and by the week for when the days are gone.
``total``: counted once and for all."""

DAYS_A_WEEK: Final = 7
WEEK_MS: Final = DAYS_A_WEEK * DAY_MS
COUNTS: Final[dict[Grain, int]] = {"hours": 94 * 24, "days": 400, "weeks": 700, "total": 0}
"""For how many buckets an occurrence counts: 94 days by the hour, 400 by the day, 13 years by the week."""
_KEEP: Final[dict[Grain, int]] = {**COUNTS, "days": COUNTS["days"] + DAYS_A_WEEK - 1}
"""How many buckets are kept: days to the end of the week that they are gone with."""


class Occurrences(msgspec.Struct, array_like=True, gc=False):
    """How often a score rule matched: in total, and in the buckets that its half-life needed at the time."""

    total: int
    hours: Series | None = None
    days: Series | None = None
    weeks: Series | None = None
    """Everything that ``days`` holds and held, so that what is too old for them still counts."""


def count(occurrences: Occurrences, grain: Grain, timestamp_ms: int) -> None:
    """One occurrence more, in place."""
    occurrences.total += 1
    if grain == "hours":
        occurrences.hours = _counted(occurrences.hours, timestamp_ms // HOUR_MS, _KEEP["hours"])
    elif grain != "total":
        occurrences.days = _counted(occurrences.days, timestamp_ms // DAY_MS, _KEEP["days"])
        if grain == "weeks":
            occurrences.weeks = _counted(occurrences.weeks, timestamp_ms // WEEK_MS, _KEEP["weeks"])


def _counted(series: Series | None, bucket: int, keep: int) -> Series:
    """The series, a new one if there is none, with one occurrence more."""
    if series is None:
        return Series([shared(bucket)], [1])
    if series.at[-1] == bucket:
        series.cells[-1] += 1
    else:
        put(series, bucket, keep, 1, add)
    return series


def merge_occurrences(one: Occurrences, other: Occurrences) -> Occurrences:
    """The occurrences of two disjoint histories. Neither argument is changed."""
    return Occurrences(
        one.total + other.total,
        merge_series(one.hours, other.hours, _KEEP["hours"], add),
        merge_series(one.days, other.days, _KEEP["days"], add),
        merge_series(one.weeks, other.weeks, _KEEP["weeks"], add),
    )
