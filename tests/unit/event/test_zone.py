"""Local time from plain integers equals that of a calendar library."""

import random
from datetime import UTC as UTC_TIME
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.event.zone import UTC, Zone, hour_of, weekday_of
from pipeline.profile.fields import getter
from pipeline.profile.filter import Condition, Filter
from pipeline.rules.zones import UnknownZoneError, zone_of
from tests.property.profile_histories import START_MS, touch

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca")


@pytest.mark.parametrize("name", ZONES)
def test_hour_and_weekday_are_those_of_the_calendar_at_random_moments_and_around_every_change(name: str) -> None:
    zone, info, chance = zone_of(name), ZoneInfo(name), random.Random(7)
    moments = [chance.randrange(946_684_800_000, 4_000_000_000_000) for _ in range(2_000)]
    moments += [at + near for at in zone.transitions_ms[:-2] for near in (-1, 0, 1)]
    for at in moments:
        local = datetime.fromtimestamp(at // 1000, UTC_TIME).astimezone(info)
        assert (hour_of(zone.local(at)), weekday_of(zone.local(at))) == (local.hour, local.isoweekday()), at


def test_the_day_before_1970_was_a_wednesday() -> None:
    assert [weekday_of(UTC.local(day * 86_400_000)) for day in (-1, 0, 3, 4)] == [3, 4, 7, 1]


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="one offset more"):
        Zone((1,), (0,))


@pytest.mark.parametrize(
    ("name", "says"),
    [("Europe/Berln", "did you mean Europe/Berlin"), ("Mars", "an IANA name"), ("../x", "IANA"), ("", "IANA")],
)
def test_a_zone_that_is_not_there_is_refused_with_advice(name: str, says: str) -> None:
    with pytest.raises(UnknownZoneError, match=says):
        zone_of(name)


def test_fields_and_filters_read_hour_and_weekday_in_the_zone_they_are_given() -> None:
    at = touch(1, 1_772_366_400_000 - START_MS)  # Sunday 2026-03-01 12:00 UTC
    tokyo = zone_of("Asia/Tokyo")
    assert [getter(field)(at) for field in ("hour", "weekday")] == [12, 7]
    assert [getter(field, tokyo)(at) for field in ("hour", "weekday")] == [21, 7]
    [test] = Filter(where=(Condition(field="hour", gte=18),)).tests(tokyo)
    assert test(at)
    [test] = Filter(where=(Condition(field="hour", gte=18),)).tests()
    assert not test(at)
