"""Quiet hours against Python's own time zone data, minute by minute."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.event.duration import DAY_MS, MINUTE_MS
from pipeline.trigger.quiet import Quiet
from pipeline.trigger.rules import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def local(at_ms: int) -> int:
    offset = datetime.fromtimestamp(at_ms / 1000, BERLIN).utcoffset() or timedelta()
    return at_ms + offset // timedelta(milliseconds=1)


def is_quiet(at_ms: int, start: int, end: int) -> bool:
    minute = local(at_ms) % DAY_MS // MINUTE_MS
    return start <= minute < end if start < end else minute >= start or minute < end


@pytest.mark.parametrize("hours", [("21:00", "08:00"), ("02:30", "05:00"), ("12:00", "13:30"), ("00:00", "02:30")])
@pytest.mark.parametrize("day", ["2026-03-28", "2026-07-01", "2026-10-24"])
def test_quiet_ends_at_the_first_minute_that_is_not_quiet_and_sensibly_when_clocks_change(
    hours: tuple[str, str], day: str
) -> None:
    rule = QuietHours(start=hours[0], end=hours[1])
    quiet, (start, end) = Quiet(rule, local), rule.minutes()
    begin = ms(datetime.fromisoformat(day).replace(tzinfo=UTC))
    for at_ms in range(begin, begin + 2 * DAY_MS, 17 * MINUTE_MS):
        result = at_ms
        while woken := quiet.ends_ms(result):  # a trigger is evaluated again when its timer fires
            assert woken > result
            result = woken
        expected = at_ms
        while is_quiet(expected, start, end):
            expected += MINUTE_MS - expected % MINUTE_MS
        assert not is_quiet(result, start, end)
        if local(result) - result == local(at_ms) - at_ms:
            assert result == expected
        else:  # an hour is skipped, or comes twice and may count as a part of the night
            assert at_ms <= result < at_ms + DAY_MS


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ({"start": "24:00", "end": "08:00"}, "not a time of day"),
        ({"start": "9:00", "end": "08:00"}, "as in 21:00"),
        ({"start": "08:00", "end": "08:00"}, "start and end at the same time"),
    ],
)
def test_invalid_hours_are_refused(hours: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuietHours(**hours)
