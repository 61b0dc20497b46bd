"""Spans of time: the widths a profile is counted in, and windows as rules label them (``24h``, ``30d``)."""

from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_UNIT_MS: Final = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


def duration_ms(text: str) -> int:
    """Milliseconds of a positive whole number and a unit.

    Raises:
        ValueError: The text is not such a span; the message says what to write.
    """
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or int(number) == 0 or unit not in _UNIT_MS:
        msg = f"{text!r} is not a span of time: write a whole number and s, m, h, d or w, as in 30d"
        raise ValueError(msg)
    return int(number) * _UNIT_MS[unit]
