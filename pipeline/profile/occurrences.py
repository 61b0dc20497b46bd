"""Occurrences: the matches of a score rule by hour or by day, so that points can decay when the score is read."""

from operator import add
from typing import Final, Literal, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.buckets import Series, merge_series, put, shared

Grain: TypeAlias = Literal["hours", "days", "total"]
"""Width of the buckets in which a rule's matches are counted; ``total``: one count without buckets."""

WIDTH_MS: Final[dict[Grain, int]] = {"hours": HOUR_MS, "days": DAY_MS, "total": 0}
KEEP: Final[dict[Grain, int]] = {"hours": 90 * 24, "days": 400, "total": 0}
"""Buckets kept per grain: 90 days of hours, 400 days."""


class Occurrences(msgspec.Struct, array_like=True, gc=False):
    """The matches of a score rule: in total, and by hour or by day, as its half-life required when they were booked."""

    total: int
    hours: Series | None = None
    days: Series | None = None


def count(occurrences: Occurrences, grain: Grain, timestamp_ms: int) -> None:
    """Counts one occurrence, in place."""
    occurrences.total += 1
    if grain == "hours":
        bucket = timestamp_ms // HOUR_MS
        if occurrences.hours is None:
            occurrences.hours = Series([shared(bucket)], [1])
        elif occurrences.hours.at[-1] == bucket:
            occurrences.hours.cells[-1] += 1
        else:
            put(occurrences.hours, bucket, KEEP["hours"], 1, add)
    elif grain == "days":
        bucket = timestamp_ms // DAY_MS
        if occurrences.days is None:
            occurrences.days = Series([shared(bucket)], [1])
        elif occurrences.days.at[-1] == bucket:
            occurrences.days.cells[-1] += 1
        else:
            put(occurrences.days, bucket, KEEP["days"], 1, add)


def merge_occurrences(one: Occurrences, other: Occurrences) -> Occurrences:
    """Returns the occurrences of two disjoint histories. Changes neither argument."""
    return Occurrences(
        one.total + other.total,
        merge_series(one.hours, other.hours, KEEP["hours"], add),
        merge_series(one.days, other.days, KEEP["days"], add),
    )
