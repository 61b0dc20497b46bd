"""Durations: the units of time in milliseconds, and durations as text: ``7 d``, ``24 h``, ``1 h 30 min``.

>>> parse_duration("24 h"), parse_duration("1 h 30 min"), format_duration(604_800_000), compact_duration("30 days")
(86400000, 5400000, '7 d', '30d')
"""

import re
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
UNITS_MS: Final = {"ms": 1, "s": 1_000, "min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
"""Milliseconds per unit. Months and years are not units, because they have no fixed length."""
DURATION_EXAMPLES: Final = ("30 min", "24 h", "7 d")

_SPOKEN: Final = {
    "millisecond": "ms", "second": "s", "sec": "s", "m": "min", "minute": "min", "hour": "h", "hr": "h", "day": "d",
    "week": "w",
}  # fmt: skip
_PART: Final = r"(\d+)\s*([A-Za-z]+)"
_DURATION: Final = re.compile(rf"\s*{_PART}(\s*{_PART})*\s*")


def parse_duration(text: str) -> int:
    """Returns milliseconds, at least 1. Raises ValueError if the text is not a duration; the message suggests one."""
    if not _DURATION.fullmatch(text):
        message = f"{text!r} is not a duration; write a number and a unit, as in {one_of(DURATION_EXAMPLES)}"
        raise ValueError(message)
    total_ms = sum(number * UNITS_MS[unit] for number, unit in duration_parts(text))
    if total_ms < 1:
        message = f"{text!r} is not above zero; write a longer duration, as in {one_of(DURATION_EXAMPLES)}"
        raise ValueError(message)
    return total_ms


def duration_parts(text: str) -> list[tuple[int, str]]:
    """Returns the numbers of a duration with their canonical units. Raises ValueError if a unit is unknown."""
    return [(int(number), unit_of(unit)) for number, unit in re.findall(_PART, text)]


def format_duration(duration_ms: int) -> str:
    """Returns the shortest text that :func:`parse_duration` reads as ``duration_ms`` >= 1. Never uses weeks."""
    for unit in ("d", "h", "min", "s"):
        if duration_ms % UNITS_MS[unit] == 0:
            return f"{duration_ms // UNITS_MS[unit]} {unit}"
    return f"{duration_ms} ms"


def compact_duration(text: str) -> str:
    """Returns the duration as a window label, such as ``7d`` or ``30m``. Keeps the unit of a text that has only one.

    Raises ValueError as :func:`parse_duration` does.
    """
    total_ms, parts = parse_duration(text), duration_parts(text)
    label = f"{parts[0][0]} {parts[0][1]}" if len(parts) == 1 else format_duration(total_ms)
    return label.replace(" min", "m").replace(" ", "")


def unit_of(written: str) -> str:
    """Returns the canonical unit. Raises ValueError if it is unknown; the message lists the units."""
    name = written.lower()
    for unit in (name, _SPOKEN.get(name, ""), _SPOKEN.get(name.removesuffix("s"), "")):
        if unit in UNITS_MS:
            return unit
    if name.rstrip("s") in {"month", "year", "mo", "y"}:
        message = f"{written!r} has no fixed length; write days, as in 30 d or 365 d"
        raise ValueError(message)
    message = f"{written!r} is not a unit of time; write {one_of(tuple(UNITS_MS))}"
    raise ValueError(message)


def one_of(examples: tuple[str, ...]) -> str:
    """Joins two or more examples into a choice: ``30 min, 24 h or 7 d``."""
    return f"{', '.join(examples[:-1])} or {examples[-1]}"
