"""Durations and limits as people write them: ``7 d``, ``24 h``, ``1 h 30 min``; ``1 ever``, ``5 per 7 d``.

>>> parse_duration("24 h"), parse_duration("1 h 30 min"), format_duration(604_800_000)
(86400000, 5400000, '7 d')
>>> parse_limit("5 per 7 d"), parse_limit("1 ever")
((5, 604800000), (1, 0))
"""

import re
from typing import Final

UNITS_MS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
"""Months and years are not units: they have no fixed length. 30 d and 365 d say what is meant."""

_SPOKEN: Final = {
    "millisecond": "ms", "second": "s", "sec": "s", "m": "min", "minute": "min", "hour": "h", "hr": "h", "day": "d",
    "week": "w",
}  # fmt: skip
_PART: Final = r"(\d+)\s*([A-Za-z]+)"
_DURATION: Final = re.compile(rf"\s*{_PART}(\s*{_PART})*\s*")
_LIMIT: Final = re.compile(r"\s*(\d+)\s+(?:(ever)|per\s+(.+))", re.IGNORECASE)

_UNITS: Final = r"(ms|s|secs?|seconds?|m|min|minutes?|h|hrs?|hours?|d|days?|w|weeks?)"
DURATION_PATTERN: Final = rf"^\s*\d+\s*{_UNITS}(\s*\d+\s*{_UNITS})*\s*$"
"""For JSON Schema, where a rule's author types; the parser has the last word."""
LIMIT_PATTERN: Final = rf"^\s*[1-9]\d*\s+(ever|per\s+\d+\s*{_UNITS}(\s*\d+\s*{_UNITS})*)\s*$"
DURATION_EXAMPLES: Final = ("30 min", "24 h", "7 d")
LIMIT_EXAMPLES: Final = ("1 ever", "5 per 7 d")


def parse_duration(text: str) -> int:
    """Milliseconds, at least 1. Raises ValueError that says what to write instead."""
    if not _DURATION.fullmatch(text):
        message = f"{text!r} is not a duration; write a number and a unit, as in {_or(DURATION_EXAMPLES)}"
        raise ValueError(message)
    found = sum(int(number) * UNITS_MS[_unit(unit)] for number, unit in re.findall(_PART, text))
    if found < 1:
        message = f"{text!r} is no time at all; write a duration above zero, as in {_or(DURATION_EXAMPLES)}"
        raise ValueError(message)
    return found


def parse_limit(text: str) -> tuple[int, int]:
    """How many, and within how many milliseconds; 0 of these means ever. Raises ValueError as above."""
    found = _LIMIT.fullmatch(text)
    if not found or int(found[1]) < 1:
        message = f"{text!r} is not a limit; write how many and how long, as in {_or(LIMIT_EXAMPLES)}"
        raise ValueError(message)
    return int(found[1]), 0 if found[2] else parse_duration(found[3])


def format_duration(duration_ms: int) -> str:
    """The shortest text that :func:`parse_duration` reads as ``duration_ms`` >= 1: whole days, not weeks."""
    for unit in ("d", "h", "min", "s"):
        if duration_ms % UNITS_MS[unit] == 0:
            return f"{duration_ms // UNITS_MS[unit]} {unit}"
    return f"{duration_ms} ms"


def compact_span(text: str) -> str:
    """The duration as windows are labelled, ``7d`` or ``30m``, in the unit it was written in.

    Raises ValueError as :func:`parse_duration` does.
    """
    total_ms = parse_duration(text)
    parts = re.findall(_PART, text)
    label = f"{int(parts[0][0])} {_unit(parts[0][1])}" if len(parts) == 1 else format_duration(total_ms)
    return label.replace(" min", "m").replace(" ", "")


def format_limit(count: int, period_ms: int) -> str:
    """The text that :func:`parse_limit` reads."""
    return f"{count} per {format_duration(period_ms)}" if period_ms else f"{count} ever"


def _unit(written: str) -> str:
    name = written.lower()
    for unit in (name, _SPOKEN.get(name, ""), _SPOKEN.get(name.removesuffix("s"), "")):
        if unit in UNITS_MS:
            return unit
    if name.rstrip("s") in {"month", "year", "mo", "y"}:
        message = f"{written!r} has no fixed length; write days, as in 30 d or 365 d"
        raise ValueError(message)
    message = f"{written!r} is not a unit of time; write {_or(tuple(UNITS_MS))}"
    raise ValueError(message)


def _or(examples: tuple[str, ...]) -> str:
    return f"{', '.join(examples[:-1])} or {examples[-1]}"
