"""Instants as integers: ISO 8601 text to and from milliseconds since 1970.

This is the only module of the core that imports :mod:`datetime`, and it reads no clock.

>>> parse_instant("2026-03-01T12:00:00.250+01:00")
1772362800250
>>> format_instant(1772362800250)
'2026-03-01T11:00:00.250Z'
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.event.duration import DAY_MS

# datetime.fromisoformat reads more than this form: week dates, dates without hyphens, hours alone, any separator.
_FORM: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?: ?(?:[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-5][0-9])?))?)?"
)
_OFFSET_NAME: Final = re.compile("UTC|GMT")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN_EPOCH: Final = _EPOCH.replace(tzinfo=None)
"""The epoch without a time zone, so that ``isoformat`` writes no offset; :func:`format_instant` appends ``Z``."""
_FIRST_MS, _YEAR_1_MS, _END_MS = -62_167_219_200_000, -62_135_596_800_000, 253_402_300_800_000
"""The first instants of the years 0, 1 and 10000."""
_CYCLE_MS: Final = 146_097 * DAY_MS
"""400 years, after which the calendar repeats: the year 0 has the same days as the year 400."""


def parse_instant(text: str) -> int | None:
    """Returns milliseconds since 1970 for an ISO 8601 date or date and time; None for any other text.

    Text without an offset is UTC. A space may precede the offset, and UTC or GMT may replace it. Truncates to
    milliseconds. Reads a leap second as the second after it.
    """
    if _FORM.fullmatch(text) is None:
        return None
    try:
        return _since_epoch_ms(datetime.fromisoformat(text))
    except ValueError:
        return _rare_instant(text)


def _rare_instant(text: str) -> int | None:
    """Reads the forms that datetime does not support.

    These are a lower-case ``z``, a space before the offset, UTC or GMT by name, second 60 and the year 0.
    """
    text, shift_ms = _OFFSET_NAME.sub("Z", text.upper()), 0
    text = text[:11] + text[11:].replace(" ", "")
    if text.startswith("0000"):
        text, shift_ms = "0400" + text[4:], -_CYCLE_MS
    if text[16:19] == ":60":
        text, shift_ms = text[:16] + ":59" + text[19:], shift_ms + 1000
    try:
        return _since_epoch_ms(datetime.fromisoformat(text)) + shift_ms
    except ValueError:
        return None


def _since_epoch_ms(moment: datetime) -> int:
    since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - _EPOCH
    return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def format_instant(ms: int) -> str | None:
    """Returns ISO 8601 text in UTC with milliseconds; None outside the years 0000 to 9999."""
    if not _FIRST_MS <= ms < _END_MS:
        return None
    if ms < _YEAR_1_MS:
        return "0000" + _text(ms + _CYCLE_MS)[4:]
    return _text(ms)


def _text(ms: int) -> str:
    seconds, millis = divmod(ms, 1000)
    return f"{(_WRITTEN_EPOCH + timedelta(seconds=seconds)).isoformat()}.{millis:03d}Z"
