"""Durations, windows and limits of rules files: ``7 d``, ``24 h``, ``1 h 30 min``; ``1 ever``, ``5 per 7 d``.

>>> parse_duration("24 h"), parse_duration("1 h 30 min"), format_duration(604_800_000)
(86400000, 5400000, '7 d')
>>> parse_limit("5 per 7 d"), parse_limit("1 ever")
((5, 604800000), (1, 0))
"""

import re
from typing import Final

from pipeline.condition.duration import (
    DURATION_EXAMPLES,
    UNITS_MS,
    duration_parts,
    format_duration,
    one_of,
    parse_duration,
)

__all__ = [
    "DURATION_EXAMPLES",
    "DURATION_PATTERN",
    "LIMIT_EXAMPLES",
    "LIMIT_PATTERN",
    "UNITS_MS",
    "compact_span",
    "format_duration",
    "format_limit",
    "parse_duration",
    "parse_limit",
]

_LIMIT: Final = re.compile(r"\s*(\d+)\s+(?:(ever)|per\s+(.+))", re.IGNORECASE)

_UNITS: Final = r"(ms|s|secs?|seconds?|m|min|minutes?|h|hrs?|hours?|d|days?|w|weeks?)"
DURATION_PATTERN: Final = rf"^\s*\d+\s*{_UNITS}(\s*\d+\s*{_UNITS})*\s*$"
"""For JSON Schema, where a rule's author types; the parser has the last word."""
LIMIT_PATTERN: Final = rf"^\s*[1-9]\d*\s+(ever|per\s+\d+\s*{_UNITS}(\s*\d+\s*{_UNITS})*)\s*$"
LIMIT_EXAMPLES: Final = ("1 ever", "5 per 7 d")


def parse_limit(text: str) -> tuple[int, int]:
    """How many, and within how many milliseconds; 0 of these means ever. Raises ValueError as durations do."""
    found = _LIMIT.fullmatch(text)
    if not found or int(found[1]) < 1:
        message = f"{text!r} is not a limit; write how many and how long, as in {one_of(LIMIT_EXAMPLES)}"
        raise ValueError(message)
    return int(found[1]), 0 if found[2] else parse_duration(found[3])


def compact_span(text: str) -> str:
    """The duration as windows are labelled, ``7d`` or ``30m``, in the unit it was written in.

    Raises ValueError as :func:`parse_duration` does.
    """
    total_ms = parse_duration(text)
    parts = duration_parts(text)
    label = f"{parts[0][0]} {parts[0][1]}" if len(parts) == 1 else format_duration(total_ms)
    return label.replace(" min", "m").replace(" ", "")


def format_limit(count: int, period_ms: int) -> str:
    """The text that :func:`parse_limit` reads."""
    return f"{count} per {format_duration(period_ms)}" if period_ms else f"{count} ever"
