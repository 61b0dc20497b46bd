"""Lines of text that a ledger keeps in the order of (event time, event id), a bounded number of them.

Like the timeline's: a line is made once and only copied when the row is written, which happens far more often than
anyone reads it.
"""

from bisect import insort
from typing import Any, Final, TypeAlias

from pipeline.profile.messages import Touch

Line: TypeAlias = str
Place: TypeAlias = str
"""Where a line stands: what it begins with, its event time and event id."""
_SEPARATOR: Final = "\x1f"
_AFTER: Final = "\x20"
"""Sorts after the separator, and so after every line of the same event."""
_MAX_CHARACTERS: Final = 120


def line_of(touch: Touch, *fields: str) -> Line:
    """A line of a touch. Event times before 1970 would not sort; INTAKE lets none through."""
    line = _SEPARATOR.join((f"{touch.timestamp_ms:015d}", touch.event_id, *fields))
    if line.count(_SEPARATOR) == len(fields) + 1:
        return line
    return _SEPARATOR.join((f"{touch.timestamp_ms:015d}", *map(_plain, (touch.event_id, *fields))))


def end_of(touch: Touch) -> Place:
    """The place behind every line of a touch and of all touches before it."""
    return f"{touch.timestamp_ms:015d}{_SEPARATOR}{_plain(touch.event_id)}{_AFTER}"


def time_of(line: Line | Place) -> int:
    """Event time in ms."""
    return int(line[:15])


def fields_of(line: Line) -> list[str]:
    """Event time, event id and the fields it was made of."""
    return line.split(_SEPARATOR)


def text_of(value: Any) -> str:
    """A text as a field of a line, cut to 120 characters; "" for what is no text."""
    return value[:_MAX_CHARACTERS] if type(value) is str else ""


def keep_newest(lines: list[Line], line: Line, limit: int) -> None:
    """Add a line if it is among the newest, in place; ``lines`` stays sorted, oldest first."""
    insort(lines, line)
    if len(lines) > limit:
        del lines[0]


def keep_ends(lines: list[Line], line: Line, oldest: int, newest: int) -> None:
    """Add a line if it is among the oldest or the newest, in place."""
    insort(lines, line)
    if len(lines) > oldest + newest:
        del lines[oldest]


def ends_of(lines: list[Line], oldest: int, newest: int) -> list[Line]:
    """The oldest and the newest of the lines of two disjoint histories, sorted.

    Exact: whatever either history let go of had ``oldest`` lines before it and ``newest`` lines behind it.
    """
    return lines if len(lines) <= oldest + newest else lines[:oldest] + lines[-newest:]


def _plain(text: str) -> str:
    return text.replace(_SEPARATOR, " ")
