"""Sliding windows: determine which buckets a window ending at ``as_of`` contains.

**Definition.** Every event time is floored to the start of its bucket. A window of length ``w`` contains the floored
times in ``(as_of - w, as_of]``. So a window never counts an event of age ``w`` or more, and may drop an event up to one
bucket width early: one minute for windows up to 1 h, one hour up to 7 d, one day up to 90 d.

For events with whole days as times (midnight UTC) flooring changes nothing: a window of ``n`` days, read at any time of
day D, contains exactly the n days from D-n+1 to D.

An ``as_of`` before the profile's newest touch is replaced by the time of that touch, because buckets older than the
longest window before it are not kept.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from pipeline.event.duration import DAY_MS, MINUTE_MS, compact_duration, parse_duration
from pipeline.profile.buckets import TIERS, Tier

LIFETIME: Final = "lifetime"


class Window(NamedTuple):
    """A window with its label in the rules, and the tier of its buckets (None: the lifetime total)."""

    label: str
    length_ms: int
    tier: Tier | None


def window(label: str) -> Window:
    """Returns the window of a label such as ``24h`` or ``lifetime``.

    Raises:
        ValueError: The label is not a duration in compact spelling, or is below a minute or above 90 days.
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
    """Returns the oldest bucket within the window: the first that starts after ``as_of - length``."""
    return (as_of_ms - length_ms) // width_ms + 1


def oldest_buckets(windows: Iterable[Window], as_of_ms: int) -> dict[str, int]:
    """Returns the oldest bucket of each window by label. The value for the lifetime is meaningless."""
    return {
        label: first_bucket(tier.width_ms, length_ms, as_of_ms) if tier else 0 for label, length_ms, tier in windows
    }
