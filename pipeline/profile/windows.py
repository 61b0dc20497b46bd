"""Sliding windows: which buckets a span of time ending at ``as_of`` contains.

**Exactly:** floor every event time to the start of its bucket; a window of length ``w`` then holds what is younger than
``w``, the interval ``(as_of - w, as_of]``. So a window never counts anything as old as ``w``, and may let go of an
event up to one bucket width before its time: one minute for windows up to 1 h, one hour up to 7 d, one day up to 90 d.

For history stamped with whole days (midnight) the flooring changes nothing: a window of ``n`` days read at any moment
of day D, from its first millisecond to its last, holds exactly the days D-n+1 to D, n of them.

A profile is read at its newest touch at the earliest: an ``as_of`` before that is taken as that, for buckets older than
the longest window are not kept.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from pipeline.event.duration import DAY_MS, MINUTE_MS, compact_duration, parse_duration
from pipeline.profile.buckets import TIERS, Tier

LIFETIME: Final = "lifetime"


class Window(NamedTuple):
    """A span of time as the rules name it, and the tier whose buckets answer it (None: the lifetime total)."""

    label: str
    length_ms: int
    tier: Tier | None


def window(label: str) -> Window:
    """The window of a label such as ``24h`` or ``lifetime``.

    Raises:
        ValueError: Not a span of time in its compact spelling, or shorter than a minute, or longer than 90 days.
    """
    if label == LIFETIME:
        return Window(label, 0, None)
    try:
        length_ms, compact = parse_duration(label), compact_duration(label)
    except ValueError as error:
        msg = f"window {label!r} is not a span of time: {error}"
        raise ValueError(msg) from error
    if label != compact:
        msg = f"window {label!r} has two spellings: write {compact}"
        raise ValueError(msg)
    for tier in TIERS:
        if MINUTE_MS <= length_ms <= tier.keep * tier.width_ms:
            return Window(label, length_ms, tier)
    msg = f"window {label!r} must be between 1m and {TIERS[-1].keep * TIERS[-1].width_ms // DAY_MS}d, or {LIFETIME}"
    raise ValueError(msg)


def first_bucket(width_ms: int, length_ms: int, as_of_ms: int) -> int:
    """The oldest bucket within the window: the first that starts after ``as_of - length``."""
    return (as_of_ms - length_ms) // width_ms + 1


def oldest_buckets(windows: Iterable[Window], as_of_ms: int) -> dict[str, int]:
    """By label, the oldest bucket each window contains; what it says of the lifetime is of no use."""
    return {
        label: first_bucket(tier.width_ms, length_ms, as_of_ms) if tier else 0 for label, length_ms, tier in windows
    }
