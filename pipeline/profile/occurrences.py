"""Occurrences: the matches of a score rule in buckets of time, so that points can decay when the score is read."""

from operator import add
from typing import Final, Literal, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.buckets import Series, merge_series, put, shared

Grain: TypeAlias = Literal["hours", "days", "weeks", "total"]
"""The buckets in which a rule's matches are counted. ``weeks``: by the day, and by the week for older matches.
``total``: without buckets, because the points never fade."""

DAYS_A_WEEK: Final = 7
WEEK_MS: Final = DAYS_A_WEEK * DAY_MS
COUNTS: Final[dict[Grain, int]] = {"hours": 94 * 24, "days": 400, "weeks": 700, "total": 0}
"""Number of buckets for which an occurrence counts: 94 days by the hour, 400 by the day, 13 years by the week."""
_KEEP: Final[dict[Grain, int]] = {**COUNTS, "days": COUNTS["days"] + DAYS_A_WEEK - 1}
"""Number of buckets that are kept. Days are kept until their whole week is read from weeks."""

_HOURS: Final = ("hours", HOUR_MS, _KEEP["hours"])
_DAYS: Final = ("days", DAY_MS, _KEEP["days"])
_WEEKS: Final = ("weeks", WEEK_MS, _KEEP["weeks"])
COUNTED: Final[dict[Grain, tuple[tuple[str, int, int], ...]]] = {
    "hours": (_HOURS,), "days": (_DAYS,), "weeks": (_DAYS, _WEEKS), "total": (),
}  # fmt: skip
"""The series in which a match is counted: (field of :class:`Occurrences`, width in ms, number of buckets kept)."""


class Occurrences(msgspec.Struct, array_like=True, gc=False):
    """How often a score rule matched: in total, and in the buckets that its half-life needed at the time."""

    total: int
    hours: Series | None = None
    days: Series | None = None
    weeks: Series | None = None
    """All occurrences ever counted in ``days``, so that those too old for days still count."""


def count(occurrences: Occurrences, grain: Grain, timestamp_ms: int) -> None:
    """Counts one occurrence, in place."""
    occurrences.total += 1
    for field, width_ms, keep in COUNTED[grain]:
        bucket = timestamp_ms // width_ms
        series: Series | None = getattr(occurrences, field)
        if series is None:
            setattr(occurrences, field, Series([shared(bucket)], [1]))
        else:
            put(series, bucket, keep, 1, add)


def merge_occurrences(one: Occurrences, other: Occurrences) -> Occurrences:
    """Returns the occurrences of two disjoint histories. Changes neither argument."""
    return Occurrences(
        one.total + other.total,
        merge_series(one.hours, other.hours, _KEEP["hours"], add),
        merge_series(one.days, other.days, _KEEP["days"], add),
        merge_series(one.weeks, other.weeks, _KEEP["weeks"], add),
    )
