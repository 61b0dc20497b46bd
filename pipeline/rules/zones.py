"""Time zones by their IANA names, as the table of offsets that the core reads."""

import difflib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pipeline.event.zone import Zone

_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAYS: Final = 100 * 365
"""Up to the year 2099. Before and after, the first and the last offset hold."""
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class UnknownZoneError(ValueError):
    """There is no time zone of that name; the message says which one may have been meant."""


@lru_cache(maxsize=16)
def zone_of(name: str) -> Zone:
    """The offsets of an IANA time zone, such as ``Europe/Berlin``, from the system's database or tzdata.

    Raises:
        UnknownZoneError: It has no zone of that name.
    """
    if name == "UTC":  # the default: every command reads the rules, and need not make a table of nothing
        return Zone()
    try:
        info = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # a folder, such as Europe, is an OSError
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        advice = f"did you mean {near[0]}?" if near else "write an IANA name such as Europe/Berlin, or UTC"
        msg = f"there is no time zone {name!r}; {advice}"
        raise UnknownZoneError(msg) from error
    return _table(info)


def _table(info: ZoneInfo) -> Zone:
    """No zone changes its offset twice within a day, so looking once a day and then closer finds every change."""
    day = _FIRST
    offsets, transitions = [_offset_ms(day, info)], []
    for _ in range(_DAYS):
        following = day + _DAY
        if _offset_ms(following, info) != offsets[-1]:
            transitions.append(round(_change(day, following, info).timestamp() * 1000))
            offsets.append(_offset_ms(following, info))
        day = following
    return Zone(tuple(transitions), tuple(offsets))


def _change(before: datetime, after: datetime, info: ZoneInfo) -> datetime:
    """The first second of the new offset, by halving."""
    old = _offset_ms(before, info)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if _offset_ms(middle, info) == old:
            before = middle
        else:
            after = middle
    return after


def _offset_ms(moment: datetime, info: ZoneInfo) -> int:
    offset = moment.astimezone(info).utcoffset()
    return 0 if offset is None else offset // timedelta(milliseconds=1)
