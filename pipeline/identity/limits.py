"""Limits as people write them.

>>> parse_limit("1 ever"), parse_limit("5 per 7 d")
(Limit(count=1, period_ms=0, text='1 ever'), Limit(count=5, period_ms=604800000, text='5 per 7 d'))
"""

import re

import msgspec

_LIMIT = re.compile(r"\s*([1-9]\d*)\s+(?:ever|per\s+((?:\d+\s*[a-z]+\s*)+))\s*", re.IGNORECASE)
_UNITS_MS = {"ms": 1, "s": 1_000, "min": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPOKEN = {
    "millisecond": "ms",
    "second": "s",
    "sec": "s",
    "minute": "min",
    "hour": "h",
    "hr": "h",
    "day": "d",
    "week": "w",
}


class Limit(msgspec.Struct, frozen=True):
    """At most ``count`` identifiers first seen within any ``period_ms``; 0 means ever."""

    count: int
    period_ms: int
    text: str

    def broken_by(self, times: list[int]) -> bool:
        """Whether identifiers first seen at these times, in rising order, are too many for one customer."""
        excess = len(times) - self.count
        if not self.period_ms:
            return excess > 0
        return any(times[i + self.count] - times[i] < self.period_ms for i in range(excess))


def parse_limit(text: str) -> Limit:
    """The limit a text means. Raises ValueError that says what to write instead."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        message = f"{text!r} is not a limit; write how many and how long, as in 1 ever or 5 per 7 d"
        raise ValueError(message)
    parts = re.findall(r"(\d+)\s*([a-z]+)", (found[2] or "").lower())
    return Limit(int(found[1]), sum(int(number) * _unit_ms(unit) for number, unit in parts), text.strip())


def _unit_ms(written: str) -> int:
    name = written if written in _UNITS_MS else written.removesuffix("s")
    unit = _SPOKEN.get(name, name)
    if unit not in _UNITS_MS:
        message = f"{written!r} is not a unit of time; write ms, s, min, h, d or w"
        raise ValueError(message)
    return _UNITS_MS[unit]
