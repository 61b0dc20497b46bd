"""Bounded lists of text lines in a ledger, sorted by (event time, event id).

As in the timeline, a line is formatted once and only copied when the row is written, because rows are written far more
often than they are read.
"""

from bisect import insort
from typing import Any, Final, TypeAlias

from pipeline.profile.messages import Touch

Line: TypeAlias = str
Place: TypeAlias = str
"""The position of a line: its prefix of event time and event id."""
_SEPARATOR: Final = "\x1f"
_AFTER: Final = "\x20"
"""Sorts after the separator, and so after every line of the same event."""
_MAX_CHARACTERS: Final = 120


def line_of(touch: Touch, *fields: str) -> Line:
    """Returns a line for a touch. Event times before 1970 would not sort; INTAKE rejects them."""
    line = _SEPARATOR.join((f"{touch.timestamp_ms:015d}", touch.event_id, *fields))
    if line.count(_SEPARATOR) == len(fields) + 1:
        return line
    return _SEPARATOR.join((f"{touch.timestamp_ms:015d}", *map(_plain, (touch.event_id, *fields))))


def end_of(touch: Touch) -> Place:
    """Returns the place after all lines of a touch and of earlier touches."""
    return f"{touch.timestamp_ms:015d}{_SEPARATOR}{_plain(touch.event_id)}{_AFTER}"


def time_of(line: Line | Place) -> int:
    """Returns the event time in ms since 1970."""
    return int(line[:15])


def fields_of(line: Line) -> list[str]:
    """Returns event time, event id and the fields of a line."""
    return line.split(_SEPARATOR)


def text_of(value: Any) -> str:
    """Returns text as a field of a line, truncated to 120 characters; "" if the value is not text."""
    return value[:_MAX_CHARACTERS] if type(value) is str else ""


def keep_newest(lines: list[Line], line: Line, limit: int) -> None:
    """Adds a line in place if it is among the newest. ``lines`` stays sorted, oldest first."""
    insort(lines, line)
    if len(lines) > limit:
        del lines[0]


def keep_ends(lines: list[Line], line: Line, oldest: int, newest: int) -> None:
    """Adds a line in place if it is among the oldest or the newest."""
    insort(lines, line)
    if len(lines) > oldest + newest:
        del lines[oldest]


def ends_of(lines: list[Line], oldest: int, newest: int) -> list[Line]:
    """Returns the oldest and the newest lines of two disjoint histories, sorted.

    The result is exact, because every line that a history dropped had ``oldest`` lines before and ``newest`` after it.
    """
    return lines if len(lines) <= oldest + newest else lines[:oldest] + lines[-newest:]


def _plain(text: str) -> str:
    return text.replace(_SEPARATOR, " ")
