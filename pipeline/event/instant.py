"""Instants as integers: ISO 8601 text to and from milliseconds since 1970, without a clock or a calendar library.

>>> parse_instant("2026-03-01T12:00:00.250+01:00")
1772362800250
>>> format_instant(1772362800250)
'2026-03-01T11:00:00.250Z'
"""

import re

DAY_MS = 86_400_000

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2})?)?)?"
)
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIRST_MS, _END_MS = -62_167_219_200_000, 253_402_300_800_000
"""The years 0000 to 9999, the end excluded."""


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the proleptic Gregorian calendar.

    Years are counted from March, so that the leap day is the last of its year and months have fixed offsets.
    """
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day of a count of days since 1970-01-01: the inverse of :func:`days_from_civil`."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    return era * 400 + year_of_era + (month <= 2), month, day


def _days_in(year: int, month: int) -> int:
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _MONTH_DAYS[month - 1] + leap


def parse_instant(text: str) -> int | None:
    """Milliseconds since 1970 of an ISO 8601 date or date and time; None if it is not one.

    Without an offset it is UTC. Digits beyond milliseconds are cut off. A leap second is the second after it.
    """
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    hour, minute, second = int(found[4] or 0), int(found[5] or 0), int(found[6] or 0)
    offset_hours, offset_minutes = int(found[10] or 0), int(found[11] or 0)
    if not (1 <= month <= 12 and 1 <= day <= _days_in(year, month)):
        return None
    if hour > 23 or minute > 59 or second > 60 or offset_hours > 23 or offset_minutes > 59:
        return None
    fraction_ms = int((found[7] or "0").ljust(3, "0")[:3])
    offset = (offset_hours * 60 + offset_minutes) * (-1 if found[9] == "-" else 1)
    minutes = hour * 60 + minute - offset
    return days_from_civil(year, month, day) * DAY_MS + (minutes * 60 + second) * 1000 + fraction_ms


def format_instant(ms: int) -> str | None:
    """ISO 8601 in UTC with milliseconds; None outside the years 0000 to 9999, which four digits cannot write."""
    if not _FIRST_MS <= ms < _END_MS:
        return None
    days, rest = divmod(ms, DAY_MS)
    year, month, day = civil_from_days(days)
    seconds, millis = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{millis:03d}Z"
