"""Event time: the time formats that senders write, and the correction of wrong device clocks.

>>> read_time(1772366400), read_time("1772366400000000"), read_time("2026-03-01 12:00:00 UTC"), read_time(17723664000)
(1772366400000, 1772366400000, 1772366400000, None)
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pipeline.event.instant import format_instant, parse_instant

_DIGITS: Final = re.compile(r"[0-9]{9,19}(?:\.[0-9]{1,9})?")
_UNITS: Final = (
    (10**8, 10**10, Decimal(1000)),  # seconds, 1973 to 2286
    (10**11, 10**13, Decimal(1)),  # milliseconds, 1973 to 2286
    (10**14, 10**16, Decimal("0.001")),  # microseconds, 1973 to 2286
    (10**17, 10**19, Decimal("0.000001")),  # nanoseconds, 1973 to 2286
)
"""Lower bound, upper bound (exclusive) and milliseconds per unit. Numbers between the ranges are ambiguous."""
FORMATS: Final = ("iso", "epoch_seconds", "epoch_ms", "epoch_us")
"""Time formats that a column mapping can name."""
FORMS: Final = "must be ISO 8601 (2026-03-01T12:00:00Z), or seconds, milliseconds or microseconds since 1970"


def read_time(value: object) -> int | None:
    """Returns milliseconds since 1970 for ISO 8601 text or a number; None for anything else.

    The magnitude of a number determines its unit; None if the unit is ambiguous. Truncates to milliseconds.
    """
    if type(value) is str:
        text = value.strip()
        if text[4:5] == "-":  # an ISO date, as most senders write it; a number has no hyphen
            return parse_instant(text)
        return parse_instant(text) if _DIGITS.fullmatch(text) is None else _by_magnitude(Decimal(text))
    if type(value) is int:
        return _by_magnitude(Decimal(value))
    if type(value) is float and math.isfinite(value):
        return _by_magnitude(Decimal(repr(value)))
    return None


def _by_magnitude(number: Decimal) -> int | None:
    for minimum, end, unit_ms in _UNITS:
        if minimum <= number < end:
            return int(number * unit_ms)
    return None


def write_time(ms: int) -> int | str:
    """Returns a form of the instant that :func:`read_time` reads back: the number, or text if it would be ambiguous."""
    return ms if _by_magnitude(Decimal(ms)) == ms else format_instant(ms) or ms


def event_time(document: Mapping[str, Any]) -> int | None:
    """Returns the event time of a JSON document in milliseconds since 1970; None if it has none.

    A device's clock may be wrong by years. If the document has ``originalTimestamp`` and ``sentAt`` by the device's
    clock and ``receivedAt`` by the server's, the event time is ``receivedAt - (sentAt - originalTimestamp)``. Servers
    that correct clocks write the same result into ``timestamp``. Otherwise the event time is ``timestamp``, else
    ``originalTimestamp``.
    """
    made = document.get("originalTimestamp")
    made_ms = None if made is None else read_time(made)
    if made_ms is not None:
        sent_ms, received_ms = read_time(document.get("sentAt")), read_time(document.get("receivedAt"))
        if sent_ms is not None and received_ms is not None:
            return received_ms - (sent_ms - made_ms)
    stated = document.get("timestamp")
    return made_ms if stated is None else read_time(stated)
