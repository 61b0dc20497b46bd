"""Limits on the identifiers of one customer, and their text form.

>>> parse_limit("1 ever"), parse_limit("5 per 7 d")
(Limit(count=1, period_ms=0, text='1 ever'), Limit(count=5, period_ms=604800000, text='5 per 7 d'))
"""

import re
from typing import Final

import msgspec

from pipeline.event.duration import format_duration, one_of, parse_duration

LIMIT_EXAMPLES: Final = ("1 ever", "5 per 7 d")
_LIMIT: Final = re.compile(r"\s*(\d+)\s+(?:ever|per\s+(.+?))\s*", re.IGNORECASE)


class Limit(msgspec.Struct, frozen=True):
    """At most ``count`` identifiers first seen within any ``period_ms``; 0 means ever."""

    count: int
    period_ms: int
    text: str

    def broken_by(self, times: list[int]) -> bool:
        """Returns whether identifiers first seen at these times exceed the limit. ``times``: ms, ascending."""
        excess = len(times) - self.count
        if not self.period_ms:
            return excess > 0
        return any(times[i + self.count] - times[i] < self.period_ms for i in range(excess))


def parse_limit(text: str) -> Limit:
    """Returns the limit that a text describes. Raises ValueError if it is none; the message shows examples."""
    match = _LIMIT.fullmatch(text)
    if match is None or int(match[1]) < 1:
        message = f"{text!r} is not a limit; write how many and how long, as in {one_of(LIMIT_EXAMPLES)}"
        raise ValueError(message)
    return Limit(int(match[1]), parse_duration(match[2]) if match[2] else 0, text.strip())


def format_limit(limit: Limit) -> str:
    """Returns the canonical text of a limit, which :func:`parse_limit` reads back."""
    return f"{limit.count} per {format_duration(limit.period_ms)}" if limit.period_ms else f"{limit.count} ever"
