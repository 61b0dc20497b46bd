"""Time zones by IANA name, as the tables of offsets that the core reads."""

import difflib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pipeline.event.zone import Zone

_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAYS: Final = 100 * 365
"""Length of a table in days: 2000 to 2099. The first offset applies to earlier times, the last to later ones."""
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class UnknownZoneError(ValueError):
    """The time zone is unknown. The message suggests a similar name."""


@lru_cache(maxsize=16)
def zone_of(name: str) -> Zone:
    """Returns the offsets of an IANA time zone, such as ``Europe/Berlin``, from the system's database or tzdata.

    Raises:
        UnknownZoneError: The database has no zone of this name.
    """
    if name == "UTC":  # the default: skips 36,500 look-ups, because every command loads the rules
        return Zone()
    try:
        info = ZoneInfo(name)
    except (
        ZoneInfoNotFoundError,
        ValueError,
        OSError,
    ) as error:  # a folder, such as Europe, raises OSError
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        advice = f"did you mean {near[0]}?" if near else "write an IANA name such as Europe/Berlin, or UTC"
        msg = f"there is no time zone {name!r}; {advice}"
        raise UnknownZoneError(msg) from error
    return _table(info)


def _table(info: ZoneInfo) -> Zone:
    """Returns the table of offsets. It compares the offsets of consecutive days and then searches within a day."""
    # No zone changes its offset twice within a day, so this finds every change.
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
    """Returns the first second of the new offset, by bisection."""
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
